"""Acting step by step, and learning later from what was seen: one set of numbers."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from laws.harness import close, same_bits

ENVIRONMENTS, OBSERVED, ACTIONS, WINDOW, WINDOWS = 4, 3, 5, 7, 3
MODEL = jr.Stack(jr.LSTM(6), jr.GRU(8), jr.Dense(ACTIONS), param_dtype="float64")
PARAMS = parameters(MODEL, OBSERVED)


class Environments:
    """Toy environments side by side, each with episodes of its own lengths.

    What is observed depends on the actions, so that a wrong number of the model changes
    all that comes after.
    """

    def __init__(self):
        self.rng = np.random.default_rng(0)
        self.state = self.rng.normal(size=(ENVIRONMENTS, OBSERVED))

    def step(self, action):
        """The next observation, and where it is the first one of an episode."""
        self.state = np.sin(self.state + 1 + action[:, None])
        first = self.rng.random(ENVIRONMENTS) < 0.2
        self.state[first] = self.rng.normal(size=(first.sum(), OBSERVED))
        return self.state.copy(), first


traces = []


@jax.jit
def act(params, carry, observation, first):
    """One step in all environments; where an episode begins the model starts afresh."""
    traces.append(observation.shape)
    ready = MODEL.prepare(params)
    fresh = MODEL.initial_carry(ready, first.shape)
    begin = lambda new, old: jnp.where(first[:, None], new, old)
    return MODEL.step(ready, jax.tree.map(begin, fresh, carry), observation)


@functools.cache
def windows():
    """What an actor stores: a carry, then the steps that came after it."""
    environments, stored = Environments(), []
    observation, first = environments.state, np.ones(ENVIRONMENTS, bool)
    carry = MODEL.initial_carry(MODEL.prepare(PARAMS), (ENVIRONMENTS,))
    for _ in range(WINDOWS):
        start, steps = carry, []
        for _ in range(WINDOW):
            carry, logits = act(PARAMS, carry, observation, first)
            action = np.asarray(logits).argmax(axis=-1)
            steps.append((observation, first, action, logits, carry))
            observation, first = environments.step(action)
        stored.append((start, jax.tree.map(lambda *a: np.stack(a), *steps)))
    return stored


def test_an_actor_compiles_once():
    later = np.concatenate([steps[1] for _, steps in windows()])[1:]
    assert later.any() and not later.all(), "no episode ended: a dull test"
    assert traces == [(ENVIRONMENTS, OBSERVED)]


def test_the_learner_sees_what_the_actor_saw():
    for start, (observations, reset, _, logits, carries) in windows():
        carry, ys, seen = jr.unroll(
            MODEL, PARAMS, observations, start, reset=reset, collect=lambda c: c
        )
        close((ys, seen), (logits, carries))
        close(carry, jax.tree.map(lambda a: a[-1], carries))


def test_windows_joined_are_one():
    parts = [steps for _, steps in windows()]
    observations, reset, _, logits, _ = jax.tree.map(
        lambda *a: np.concatenate(a), *parts
    )
    close(jr.unroll(MODEL, PARAMS, observations, reset=reset)[1], logits)


def test_a_stored_carry_of_an_ended_episode_is_forgotten():
    """What an actor stored before the first step of an episode does not matter."""
    start, (observations, _, _, _, _) = windows()[1]
    reset = np.zeros((WINDOW, ENVIRONMENTS), bool)
    reset[0] = True
    fresh = jax.tree.map(jnp.zeros_like, start)
    from_stored, from_fresh = (
        jr.unroll(MODEL, PARAMS, observations, carry, reset=reset)
        for carry in (start, fresh)
    )
    same_bits(from_stored, from_fresh)


@pytest.mark.parametrize("at", [2, 4])
def test_replay_from_any_stored_carry(at):
    _, (observations, reset, _, logits, carries) = windows()[1]
    start = jax.tree.map(lambda a: a[at - 1], carries)
    _, ys = jr.unroll(MODEL, PARAMS, observations[at:], start, reset=reset[at:])
    close(ys, logits[at:])


def test_learning_after_a_burn_in():
    """The first steps of a window only warm the stored carry up (Kapturowski 2019)."""
    start, (observations, reset, actions, _, carries) = windows()[2]
    warm = 3
    rest = (MODEL, PARAMS, observations, actions, jr.cross_entropy)
    options = {"every": WINDOW, "burn_in": warm}
    got = jr.tbptt_loss(*rest, carry=start, reset=reset, **options)
    warmed = jax.tree.map(lambda a: a[warm - 1], carries)
    rest = (MODEL, PARAMS, observations[warm:], actions[warm:], jr.cross_entropy)
    close(got, jr.unroll_loss(*rest, carry=warmed, reset=reset[warm:]))
