"""Free running: against the loop by hand, in any batch, from any state."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from jaxrnn.seq2seq.generate import _generated

V, STEPS = 6, 9
MODEL = jr.Stack(
    jr.Embed(V, 3), jr.Elman(4), jr.Dropout(0.5), jr.Dense(V), param_dtype="float64"
)
PARAMS = jax.tree.map(lambda a: 3 * a, parameters(MODEL, seed=2))
FIRST, KEY = jnp.array([0, 5, 2]), jax.random.key(1)


def by_hand(first, carry, sampler, key, start=0):
    ready, xs, x, step = MODEL.prepare(PARAMS), [], first, jax.jit(MODEL.step)
    for t in range(STEPS):
        carry, y = step(ready, carry, x)
        x = sampler(y, None if key is None else jax.random.fold_in(key, start + t))
        xs.append(np.asarray(x))
    return carry, np.stack(xs)


@pytest.mark.parametrize(
    ("sampler", "key"),
    [(jr.greedy, None), (jr.Sampler(2.5, top_k=5, top_p=0.95), KEY)],
    ids=["greedy", "sampler"],
)
def test_equals_the_loop(sampler, key):
    carry = MODEL.initial_carry(PARAMS, (3,))
    last, expected = by_hand(FIRST, carry, sampler, key)
    carry, found = jr.generate(
        MODEL, PARAMS, FIRST, steps=STEPS, sampler=sampler, key=key
    )
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == FIRST.dtype and len(set(found.ravel().tolist())) > 2
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, 1e-12), carry, last)


def test_in_parts_and_from_a_given_beginning():
    options = {"sampler": jr.Sampler(), "key": KEY}
    _, whole = jr.generate(MODEL, PARAMS, FIRST, steps=STEPS, **options)
    start = MODEL.initial_carry(PARAMS, (3,))
    go_on = lambda first, carry, at: jr.generate(
        MODEL, PARAMS, first, carry, steps=STEPS // 3, start=at, **options
    )
    carry, head = go_on(FIRST, start, 0)
    _, following = go_on(head[-1], carry, 3)
    np.testing.assert_array_equal(np.concatenate([head, following]), whole[:6])
    given = jnp.concatenate([FIRST[None], head])
    carry, _ = jr.unroll(MODEL, PARAMS, given[:-1])
    np.testing.assert_array_equal(go_on(given[-1], carry, 3)[1], following)


def test_rows_together_alone_and_without_a_batch_axis():
    _, together = jr.generate(MODEL, PARAMS, FIRST, steps=STEPS)
    _, alone = jr.generate(MODEL, PARAMS, FIRST[1], steps=STEPS)
    assert alone.shape == (STEPS,)
    np.testing.assert_array_equal(alone, together[:, 1])


def test_outputs_that_are_inputs():
    cell = jr.Elman(3, param_dtype="float64")
    params, first = parameters(cell, 3), jnp.ones((2, 3))
    _, ys = jr.generate(cell, params, first, steps=4, sampler=lambda y, key: y)
    carry, x = jnp.zeros((2, 3)), first
    for y in ys:
        carry, x = cell.step(cell.prepare(params), carry, x)
        np.testing.assert_allclose(y, x, 1e-13)


def test_one_program_for_every_temperature_and_key():
    draw = lambda t, seed: jr.generate(
        *(MODEL, PARAMS, FIRST),
        steps=3,
        sampler=jr.Sampler(t),
        key=jax.random.key(seed),
    )
    draw(1.0, 0)
    compiled = _generated._cache_size()
    draw(0.5, 1), draw(0.0, 2)
    assert _generated._cache_size() == compiled


def test_it_differentiates_and_nests():
    cell = jr.Elman(2, param_dtype="float64")
    params = parameters(cell, 2)

    @jax.jit
    def length(params):
        feed = lambda y, key: y
        return jnp.sum(jr.generate(cell, params, jnp.ones(2), steps=3, sampler=feed)[1])

    assert all(g.any() for g in jax.tree.leaves(jax.grad(length)(params)))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"steps": 0}, ValueError, "`steps` must be at least 1, got 0"),
        ({"model": 3}, TypeError, "`model` must be a cell, got 3"),
        (
            {"model": jr.Bidirectional(jr.Elman(2)), "first": jnp.ones(2)},
            ValueError,
            "`generate` needs a model that can step, not Bidirectional(Elman(2)",
        ),
        (
            {"sampler": jr.Sampler()},
            ValueError,
            "`key` must be given for a `Sampler` to draw with",
        ),
        (
            {"model": jr.Elman(2), "first": jnp.array(1.0)},
            ValueError,
            "`first` must have 1 input axes for Elman(2), got shape ()",
        ),
        (
            {"first": jnp.array([0, V])},
            ValueError,
            "token ids must lie in [0, vocab_size) = [0, 6), got values from 0 to 6",
        ),
        (
            {"sampler": lambda y, key: y},
            ValueError,
            "`sampler` must give the next input, of shape (3,), got (3, 6) from "
            "outputs of shape (3, 6)",
        ),
    ],
)
def test_bad_arguments(changes, error, message):
    given = {"model": MODEL, "params": PARAMS, "first": FIRST, "steps": 2}
    with pytest.raises(error, match=re.escape(message)):
        jr.generate(**(given | changes))
