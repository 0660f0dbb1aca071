"""Inputs past a cell: added as they are, or through a gate."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from laws.harness import close

T, B, N = 6, 4, 3
_rng = np.random.default_rng(0)
XS = _rng.normal(size=(T, B, N))
FLAGS = {"mask": _rng.random((T, B)) < 0.7, "reset": _rng.random((T, B)) < 0.3}
INSIDE = {
    "cell": jr.LSTM(N, param_dtype="float64"),
    "stack": jr.Stack(jr.GRU(5), jr.Dropout(0.3), jr.Dense(N), param_dtype="float64"),
    "both": jr.Bidirectional(jr.Elman(N), merge="sum", param_dtype="float64"),
    "nothing": jr.Dense(N, param_dtype="float64"),
}
around = pytest.mark.parametrize("inner", INSIDE.values(), ids=INSIDE.keys())


@around
def test_residual_adds_the_inputs_at_real_steps(inner):
    cell = jr.Residual(inner)
    params = parameters(cell, N)
    carry, ys = jr.unroll(inner, params["cell"], XS, **FLAGS)
    summed = np.where(FLAGS["mask"][..., None], ys + XS, 0)
    close(jr.unroll(cell, params, XS, **FLAGS), (carry, summed))
    assert cell.output_size(N) == N


@pytest.mark.parametrize(
    "inner", [INSIDE["cell"], INSIDE["both"]], ids=["cell", "both"]
)
def test_highway_mixes_them_by_its_gate(inner):
    cell = jr.Highway(inner, param_dtype="float64")
    params = jax.tree.map(np.asarray, parameters(cell, N))
    carry, ys = jr.unroll(inner, params["cell"], XS, **FLAGS)
    gate = 1 / (1 + np.exp(-(XS @ params["kernel"] + params["bias"])))
    mixed = np.where(FLAGS["mask"][..., None], gate * ys + (1 - gate) * XS, 0)
    close(jr.unroll(cell, params, XS, **FLAGS), (carry, mixed))


def test_highway_begins_with_the_inputs_passing():
    bias = jax.jit(lambda key: jr.Highway(jr.Elman(N)).init(key, N)["bias"])
    assert bias(jax.random.key(0)).tolist() == [-1.0] * N


@pytest.mark.parametrize("wrapper", [jr.Residual, jr.Highway])
def test_sizes_must_be_equal(wrapper):
    model = jr.Stack(jr.Dense(4), wrapper(jr.LSTM(5)))
    message = (
        f"layer 1 of Stack, {model.cells[1]}: `{wrapper.__name__}` needs a cell whose "
        "outputs have the size of its inputs, 4, got 5 from LSTM(5)"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        parameters(model, N)


def test_outputs_are_in_the_dtype_of_the_cell_inside_on_every_road():
    cell = jr.Residual(jr.Elman(N, dtype="bfloat16"))
    params, xs = parameters(cell, N), jnp.asarray(XS, "float32")
    carry, ys = jr.unroll(cell, params, xs)
    ready = cell.prepare(params)
    stepped, y = cell.step(ready, cell.initial_carry(ready, (B,)), xs[0])
    assert (ys.dtype, y.dtype) == ("bfloat16", "bfloat16")
    assert (carry.dtype, stepped.dtype) == ("float32", "float32")
    assert bool((y == ys[0]).all())
