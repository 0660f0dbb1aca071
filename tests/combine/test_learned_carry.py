"""A learned start: the plain cell's, until gradients move it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import jaxrnn as jr
from drawn import parameters
from laws.harness import close, same_bits

T, B, INPUTS = 6, 3, 2
_rng = np.random.default_rng(0)
XS = _rng.normal(size=(T, B, INPUTS))
MASK = _rng.random((T, B)) < 0.7
RESET = _rng.random((T, B)) < 0.4
LSTM = jr.LearnedCarry(jr.LSTM(5), param_dtype="float64")
STACK = jr.LearnedCarry(
    jr.Stack(jr.Elman(4), jr.LSTM(5), jr.Dense(2)), param_dtype="float64"
)
around = pytest.mark.parametrize("cell", [LSTM, STACK], ids=["lstm", "stack"])


def start_of(cell, params):
    """The learned carry as a user would hand it to the plain cell, for all rows."""
    carry = cell.cell.initial_carry(cell.cell.prepare(params["cell"]), (B,))
    rows = [np.tile(a, (B, 1)) for a in params["carry"]]
    return jax.tree.unflatten(jax.tree.structure(carry), rows)


def test_it_begins_as_the_plain_cell():
    cell = jr.LearnedCarry(jr.Elman(4), param_dtype="float64")
    params = cell.init(jax.random.key(0), INPUTS)
    flags = {"mask": MASK, "reset": RESET}
    plain = jr.unroll(cell.cell, params["cell"], XS, **flags)
    close(jr.unroll(cell, params, XS, **flags), plain)


@around
def test_is_the_plain_cell_with_that_carry(cell):
    params = parameters(cell, INPUTS)
    given = {"carry": start_of(cell, params), "mask": MASK, "reverse": True}
    plain = jr.unroll(cell.cell, params["cell"], XS, **given)
    close(jr.unroll(cell, params, XS, mask=MASK, reverse=True), plain)


def test_a_given_carry_goes_before_it():
    params = parameters(LSTM, INPUTS)
    carry, _ = jr.unroll(LSTM, params, XS)
    plain = jr.unroll(LSTM.cell, params["cell"], XS, carry)
    close(jr.unroll(LSTM, params, XS, carry), plain)


@around
def test_resets_go_back_to_it(cell):
    params, edge, reset = parameters(cell, INPUTS), 3, np.zeros((T, B), bool)
    reset[edge] = True
    before, after = (jr.unroll(cell, params, part) for part in (XS[:edge], XS[edge:]))
    whole = jr.unroll(cell, params, XS, reset=reset)
    close(whole, (after[0], np.concatenate([before[1], after[1]])))


def test_resets_go_back_to_it_backwards():
    params, edge, reset = parameters(LSTM, INPUTS), 3, np.zeros((T, B), bool)
    reset[edge] = True
    before, after = (
        jr.unroll(LSTM, params, part, reverse=True) for part in (XS[:edge], XS[edge:])
    )
    whole = jr.unroll(LSTM, params, XS, reset=reset, reverse=True)
    close(whole, (before[0], np.concatenate([before[1], after[1]])))


def test_around_a_stack_or_in_it():
    """One learned start of all layers is a learned start of each."""
    params = parameters(STACK, INPUTS)
    apart = jr.Stack(
        jr.LearnedCarry(jr.Elman(4)),
        jr.LearnedCarry(jr.LSTM(5)),
        jr.Dense(2),
        param_dtype="float64",
    )
    (elman, lstm, dense), (h, *hc) = params["cell"], params["carry"]
    own = ({"cell": elman, "carry": (h,)}, {"cell": lstm, "carry": tuple(hc)}, dense)
    flags = {"mask": MASK, "reset": RESET}
    close(jr.unroll(apart, own, XS, **flags), jr.unroll(STACK, params, XS, **flags))


@pytest.mark.parametrize("reset", [None, RESET], ids=["whole", "segments"])
def test_around_both_directions(reset):
    cell = jr.LearnedCarry(jr.Bidirectional(jr.Elman(4)), param_dtype="float64")
    apart = jr.Bidirectional(jr.LearnedCarry(jr.Elman(4)), param_dtype="float64")
    params = parameters(cell, INPUTS)
    own = {
        name: {"cell": params["cell"][name], "carry": (start,)}
        for name, start in zip(("forward", "backward"), params["carry"], strict=True)
    }
    flags = {"mask": MASK, "reset": reset}
    close(jr.unroll(cell, params, XS, **flags), jr.unroll(apart, own, XS, **flags))


def test_gradients_reach_it_once_for_every_start():
    cell = jr.LearnedCarry(jr.Elman(4), param_dtype="float64")
    params = parameters(cell, INPUTS)
    weights = np.random.default_rng(2).normal(size=(T, B, 4))
    reset = np.zeros((T, B), bool)
    reset[3, 0] = reset[1, 2] = True
    starts = np.zeros((T, B))
    starts[0] = 1  # with the resets, five starts

    @jax.jit
    @jax.value_and_grad
    def by_learned(start):
        own = params | {"carry": (start,)}
        return jnp.sum(weights * jr.unroll(cell, own, XS, reset=reset)[1])

    @jax.jit
    @jax.value_and_grad
    def by_each(moves):
        """The plain recurrence, to whose state the start is added where one is."""
        own, h, total = params["cell"], jnp.zeros((B, 4)), 0.0
        for x, move, fresh, weight in zip(XS, moves, reset, weights, strict=True):
            h = jnp.where(fresh[:, None], 0, h) + move
            sums = x @ own["kernel"] + h @ own["recurrent_kernel"] + own["bias"]
            h = jnp.tanh(sums)
            total += jnp.sum(weight * h)
        return total

    fresh = (reset | (starts == 1))[..., None]
    (start,) = params["carry"]
    value, slopes = by_each(np.where(fresh, start, 0))
    assert fresh.sum() == 5 and np.all(np.where(fresh, slopes, 1) != 0)
    close(by_learned(start), (value, np.sum(slopes, axis=(0, 1), where=fresh)))


@pytest.mark.slow
def test_gradients_are_differences():
    cell = jr.LearnedCarry(jr.LSTM(2), param_dtype="float64")

    def function(params):
        carry, ys = jr.unroll(cell, params, XS, mask=MASK, reset=RESET)
        return jnp.sum(ys**2) + jnp.sum(carry.cell)

    check_grads(jax.jit(function), (parameters(cell, INPUTS),), order=1, modes=["rev"])


@pytest.mark.parametrize(
    "dtype", ["bfloat16", pytest.param("float64", marks=pytest.mark.slow)]
)
def test_dtypes_are_handed_down(dtype):
    cell = jr.LearnedCarry(jr.LSTM(5), dtype=dtype, param_dtype=dtype)
    assert cell.cell == jr.LSTM(5, dtype=dtype, param_dtype=dtype)
    params, xs = parameters(cell, INPUTS), jnp.asarray(XS.astype(dtype))
    assert {str(a.dtype) for a in jax.tree.leaves(params)} == {dtype}

    @jax.jit
    @jax.value_and_grad
    def summed(params):
        return jnp.sum(jr.unroll(cell, params, xs)[1].astype("float64"))

    assert all(a.dtype == dtype and a.all() for a in summed(params)[1]["carry"])
    wide = "float64" if dtype == "float64" else "float32"  # what carries are held in
    start = jax.tree.map(lambda a: a.astype(wide), start_of(cell, params))
    got = jr.unroll(cell, params, xs)
    same_bits(got, jr.unroll(cell.cell, params["cell"], xs, start))
    assert (got[0].cell.dtype, got[1].dtype) == (wide, dtype)


def test_it_is_stored_as_the_cell_is():
    """The dtype of the parameters may be stated at the cell alone."""
    cell = jr.LearnedCarry(jr.LSTM(5, param_dtype="float64"))
    assert {str(a.dtype) for a in jax.tree.leaves(parameters(cell, INPUTS))} == {
        "float64"
    }


def test_stepping_starts_from_it():
    params = parameters(STACK, INPUTS)
    ready = STACK.prepare(params)
    carry = STACK.initial_carry(ready, (B,))
    close(carry, start_of(STACK, params))
    step, ys = jax.jit(STACK.step), []
    for x in XS:
        carry, y = step(ready, carry, x)
        ys.append(y)
    close((carry, np.stack(ys)), jr.unroll(STACK, params, XS))


def test_a_cell_without_memory_has_nothing_to_learn():
    cell = jr.LearnedCarry(jr.Dense(4), param_dtype="float64")
    params = parameters(cell, INPUTS)
    assert len(params["carry"]) == 0
    close(jr.unroll(cell, params, XS), jr.unroll(cell.cell, params["cell"], XS))
