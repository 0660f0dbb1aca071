"""Only the output is fed back, so that what is forced needs no recurrence."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from laws.harness import close

T, B, N, H, SIZE = 6, 4, 3, 5, 2
_rng = np.random.default_rng(0)
XS, Y0 = _rng.normal(size=(T, B, N)), _rng.normal(size=(B, SIZE))
CELL = jr.Jordan(
    H, SIZE, activation="relu", output_activation="sigmoid", param_dtype="float64"
)
PARAMS = parameters(CELL, N)
READY = CELL.prepare(PARAMS)


def before(ys, start=None):
    """What every step is fed: the outputs one step later."""
    start = np.zeros_like(ys[0]) if start is None else start
    return np.concatenate([start[None], ys[:-1]])


@pytest.mark.parametrize("start", [None, Y0], ids=["zeros", "given"])
def test_forced_by_its_own_outputs_it_is_the_scan(start):
    _, ys = jr.unroll(CELL, PARAMS, XS, start)
    close(CELL.forced(READY, XS, before(np.asarray(ys), start)), ys)


def test_forced_by_others_every_step_is_one_step():
    targets = np.random.default_rng(1).normal(size=(T, B, SIZE))
    ys = CELL.forced(READY, XS, before(targets, Y0))
    for t, previous in enumerate([Y0, *targets[:-1]]):
        close(ys[t], CELL.step(READY, previous, XS[t])[1])


def test_forced_takes_any_leading_axes():
    previous = np.random.default_rng(1).normal(size=(T, B, SIZE))
    whole = CELL.forced(READY, XS, previous)
    close(CELL.forced(READY, XS[2, 1], previous[2, 1]), whole[2, 1])
    fold = lambda a: a.reshape(2, T // 2, B, -1)
    close(CELL.forced(READY, fold(XS), fold(previous)), fold(whole))


def test_forced_has_no_loop():
    slopes = jax.grad(lambda params: CELL.forced(params, XS, np.zeros((T, B, 2))).sum())
    program = str(jax.make_jaxpr(slopes)(PARAMS))
    assert "scan" not in program and "while" not in program


def test_forced_is_in_dtype():
    cell = CELL.replace(dtype="bfloat16")
    ys = cell.forced(cell.prepare(PARAMS), XS, np.zeros((T, B, SIZE)))
    assert ys.dtype == jnp.bfloat16
    close(ys.astype("float64"), CELL.forced(READY, XS, np.zeros((T, B, SIZE))), 0.05)


def test_only_the_output_is_remembered():
    """Gradients between steps pass a bottleneck of `size` numbers."""
    h = lambda start: jr.unroll(CELL, PARAMS, XS[:, 0], start)[1].ravel()
    slopes = np.asarray(jax.jacobian(h)(Y0[0]))
    assert slopes.shape == (T * SIZE, SIZE)
    assert np.linalg.matrix_rank(slopes) == SIZE


def test_parameters_have_the_sizes_that_are_documented():
    shapes = jax.tree.map(np.shape, PARAMS)
    assert shapes == {
        "kernel": (N, H),
        "recurrent_kernel": (SIZE, H),
        "bias": (H,),
        "output_kernel": (H, SIZE),
        "output_bias": (SIZE,),
    }


@pytest.mark.parametrize("shape", [(B, SIZE), (T, 1, SIZE), (T, B, 1), (T, B)])
def test_what_is_fed_must_fit(shape):
    message = f"`previous` must have shape {(T, B, SIZE)}, got {shape}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        CELL.forced(READY, XS, np.zeros(shape))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((0, 2), "`hidden_size` must be at least 1, got 0"),
        ((5, -1), "`size` must be at least 1, got -1"),
        ((5, 2, "tahn"), "`activation` must be a function or a name"),
        ((5, 2, "tanh", "x"), "output_activation: `activation` must be a function"),
    ],
)
def test_bad_fields_are_told(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        jr.Jordan(*arguments)


def test_sizes_are_integers():
    with pytest.raises(TypeError, match=r"^`size` must be an integer, got 2\.0$"):
        jr.Jordan(5, 2.0)
