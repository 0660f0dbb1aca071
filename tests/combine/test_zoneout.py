"""States kept from the step before, in training at random, else in expectation."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from laws.harness import close, same_bits
from laws.user_cell import Counting

T, B, N, H = 6, 4, 3, 5
_rng = np.random.default_rng(0)
XS = _rng.normal(size=(T, B, N))
KEY = jax.random.key(1)
LSTM = jr.LSTM(H, param_dtype="float64")
PARAMS = {"cell": parameters(LSTM, N)}
START = jr.LSTMCarry(*_rng.normal(size=(2, B, H)))


def by_hand(mix_h, mix_c):
    """Step by step; what is mixed are the old and the new state."""
    carry, ys = START, []
    for t, x in enumerate(XS):
        new, _ = LSTM.step(PARAMS["cell"], carry, x)
        h, c = mix_h(t, carry.hidden, new.hidden), mix_c(t, carry.cell, new.cell)
        carry = jr.LSTMCarry(h, c)
        ys.append(h)
    return carry, np.stack(ys)


def test_evaluation_is_the_expectation():
    cell = jr.Zoneout(LSTM, 0.3, 0.6)
    mix = lambda rate: lambda t, old, new: rate * old + (1 - rate) * new
    close(jr.unroll(cell, PARAMS, XS, START), by_hand(mix(0.3), mix(0.6)))


def test_training_keeps_the_units_that_are_drawn():
    cell = jr.Zoneout(LSTM, 0.3, 0.6)
    ready = cell.prepare(PARAMS)
    draw = lambda t: cell.project(ready, XS[t], key=jax.random.fold_in(KEY, t))[1]
    held = [draw(t) for t in range(T)]
    mix = lambda leaf: lambda t, old, new: np.where(held[t][leaf], old, new)
    close(jr.unroll(cell, PARAMS, XS, START, key=KEY), by_hand(mix(0), mix(1)))
    assert not np.array_equal(held[0][0], held[1][0])  # anew at every step


@pytest.mark.parametrize(
    "key",
    [None, pytest.param(KEY, marks=pytest.mark.slow)],
    ids=["evaluation", "training"],
)
def test_a_rate_of_zero_is_the_cell_inside(key):
    inner = jr.Stack(jr.Dropout(0.5), LSTM)
    params, carry = ({}, PARAMS["cell"]), ((), START)
    plain = jr.unroll(inner, params, XS, carry, key=key)
    cell = jr.Zoneout(inner, 0.0)
    same_bits(jr.unroll(cell, {"cell": params}, XS, carry, key=key), plain)


@pytest.mark.parametrize("key", [None, KEY], ids=["evaluation", "training"])
def test_a_rate_of_one_keeps_the_first_state(key):
    cell = jr.Zoneout(LSTM, 1.0)
    carry, ys = jr.unroll(cell, PARAMS, XS, START, key=key)
    same_bits(carry, START)
    same_bits(np.asarray(ys), np.tile(START.hidden, (T, 1, 1)))
    slopes = jax.grad(lambda p: jr.unroll(cell, p, XS, START, key=key)[1].sum())
    assert not any(np.any(g) for g in jax.tree.leaves(slopes(PARAMS)))


@pytest.mark.parametrize("key", [None, KEY], ids=["evaluation", "training"])
def test_the_rates_are_of_the_hidden_state_and_of_the_rest(key):
    cell = jr.Zoneout(LSTM, 0, memory_rate=1)
    carry, _ = jr.unroll(cell, PARAMS, XS, START, key=key)
    close(carry.cell, START.cell)
    assert not np.any(np.asarray(carry.hidden) == START.hidden)


def test_units_are_kept_with_their_rates():
    rows, size, rates = 50, 200, (0.2, 0.7)
    inner = jr.LSTM(size)
    params = {"cell": jax.tree.map(jnp.zeros_like, parameters(inner, 1))}
    start = jr.LSTMCarry(*np.full((2, rows, size), 9.0, "float32"))  # out of reach
    carry, ys = jr.unroll(
        jr.Zoneout(inner, *rates), params, np.ones((1, rows, 1)), start, key=KEY
    )
    for leaf, rate in zip(carry, rates, strict=True):
        kept, n = np.asarray(leaf) == 9.0, rows * size
        assert abs(kept.mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / n)
        spread = 5 * np.sqrt(rate * (1 - rate) / rows)
        assert np.all(abs(kept.mean(axis=0) - rate) < spread)
    same_bits(np.asarray(ys[0]), np.asarray(carry.hidden))


def test_a_count_of_steps_goes_on():
    cell = jr.Zoneout(Counting(N), 0.5)
    params = {"cell": {"scale": jnp.ones(N)}}
    carry, _ = jr.unroll(cell, params, XS)
    assert carry.steps.tolist() == [T] * B


RESIDUAL = jr.Residual(jr.LSTM(N))
BOTH = jr.Bidirectional(jr.LSTM(H))
ERRORS = {
    "no_memory": (
        lambda: jr.Zoneout(jr.Stack(jr.Dense(4), jr.Map("relu")), 0.1),
        "`Zoneout` needs a cell with a memory, got Stack(Dense(4), Map('relu'))",
    ),
    "both_directions": (
        lambda: jr.Zoneout(BOTH, 0.1),
        f"`Zoneout` needs a cell that can step, got {BOTH}: put it inside, around the "
        "cells that can",
    ),
    "rate": (
        lambda: jr.Zoneout(LSTM, -0.1),
        "`rate` must lie in [0, 1], got -0.1",
    ),
    "memory_rate": (
        lambda: jr.Zoneout(LSTM, 0.1, memory_rate=2),
        "`memory_rate` must lie in [0, 1], got 2",
    ),
    "an_output_that_is_no_state": (
        lambda: jr.unroll(
            jr.Stack(jr.Zoneout(RESIDUAL, 0.1)),
            ({"cell": {"cell": parameters(RESIDUAL.cell, N)}},),
            XS,
        ),
        f"layer 0 of Stack, Zoneout({RESIDUAL}, 0.1): `Zoneout` needs a cell whose "
        f"output is its hidden state, got {RESIDUAL}: put it inside, around the "
        "recurrent cell",
    ),
}


@pytest.mark.parametrize("call, message", ERRORS.values(), ids=ERRORS.keys())
def test_errors(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        call()
