"""A cell around another: transparent, and at its place in every error."""

import re

import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from laws.harness import close, same_bits

T, B, N = 5, 3, 2
_rng = np.random.default_rng(0)
XS = _rng.normal(size=(T, B, N))
FLAGS = {"mask": _rng.random((T, B)) < 0.7, "reset": _rng.random((T, B)) < 0.3}


@pytest.mark.parametrize(
    "inner",
    [
        jr.LearnedCarry(jr.LSTM(4)),
        jr.Stack(jr.GRU(4), jr.Dense(3)),
        jr.Bidirectional(jr.Elman(4)),
        jr.Dense(3),
    ],
    ids=lambda cell: type(cell).__name__,
)
def test_by_itself_it_changes_nothing(inner):
    cell = jr.Wrapper(inner, param_dtype="float64")
    params = parameters(cell, N)
    plain = jr.unroll(cell.cell, params["cell"], XS, **FLAGS)
    same_bits(jr.unroll(cell, params, XS, **FLAGS), plain)
    for name in ("input_ndim", "causal", "has_memory"):
        assert getattr(cell, name) == getattr(inner, name)
    assert cell.output_size(N) == inner.output_size(N)


def test_dtypes_are_handed_down():
    cell = jr.Wrapper(jr.Wrapper(jr.LSTM(4)), dtype="bfloat16", param_dtype="float32")
    assert cell.cell.cell == jr.LSTM(4, dtype="bfloat16", param_dtype="float32")


def test_what_has_a_memory():
    memory = jr.Residual(jr.LSTM(3))
    none = jr.Residual(jr.Stack(jr.Dense(3), jr.Map("relu")))
    assert memory.has_memory and jr.Stack(none, memory).has_memory
    assert not none.has_memory and not jr.Stack(none, none).has_memory
    assert jr.Bidirectional(none, memory).has_memory
    assert not jr.Bidirectional(none).has_memory


def test_layers_without_memory_around_one_with():
    """A stack's hidden state is found past wrapped layers that have none."""
    model = jr.Stack(
        jr.Residual(jr.Dense(N)),
        jr.LSTM(4),
        jr.Residual(jr.Dense(4)),
        jr.Dense(3),
        param_dtype="float64",
    )
    params = parameters(model, N)
    ready = model.prepare(params)
    carry, ys = model.initial_carry(ready, (B,)), []
    for x in XS:
        carry, y = model.step(ready, carry, x)
        ys.append(y)
    close((carry, np.stack(ys)), jr.unroll(model, params, XS))
    assert model.hidden(carry) is carry[1].hidden


def test_the_parameters_of_the_cell_inside_are_under_cell():
    cell = jr.Highway(jr.Zoneout(jr.LSTM(N), 0.1))
    names = [row.name for row in jr.summary(cell, N).rows]
    assert names == ["", "cell", "cell"]
    assert sorted(parameters(cell, N)) == ["bias", "cell", "kernel"]
    assert sorted(parameters(cell.cell, N)) == ["cell"]


DEEP = jr.Stack(jr.Dense(3), jr.Residual(jr.Zoneout(jr.LSTM(3), 0.1)))
BOTH = jr.Bidirectional(jr.LSTM(3), merge="sum")


def stepped(cell, input_size):
    ready = cell.prepare(parameters(cell, input_size))
    return cell.step(ready, cell.initial_carry(ready, ()), jnp.zeros(input_size))


ERRORS = {
    "no_cell": (
        lambda: jr.Residual(jnp.tanh),
        TypeError,
        "`cell` of Residual must be a cell, got ",
    ),
    "a_class": (
        lambda: jr.Zoneout(jr.LSTM, 0.1),
        TypeError,
        "`cell` of Zoneout must be a cell, got <class ",
    ),
    "12_feature_width_deep_inside": (
        lambda: jr.unroll(
            DEEP, (parameters(jr.Dense(4), N), parameters(DEEP.cells[1], 3)), XS
        ),
        ValueError,
        "layer 1 of Stack, Residual(Zoneout(LSTM(3), 0.1)): cell of Residual, "
        "Zoneout(LSTM(3), 0.1): cell of Zoneout, LSTM(3): `x` must have 3 features",
    ),
    "no_input_size": (
        lambda: parameters(jr.WeightNoise(jr.GRU(3), 0.1)),
        ValueError,
        "cell of WeightNoise, GRU(3): `input_size` of GRU must be an integer",
    ),
    "sizes_that_do_not_chain": (
        lambda: parameters(jr.Stack(jr.LSTM(4), jr.Stack(jr.Residual(jr.LSTM(3)))), N),
        ValueError,
        "layer 1 of Stack, Stack(Residual(LSTM(3))): layer 0 of Stack, "
        "Residual(LSTM(3)): `Residual` needs a cell whose outputs have the size of its "
        "inputs, 4, got 3 from LSTM(3)",
    ),
    "streaming_of_both_directions": (
        lambda: stepped(jr.Stack(jr.Dense(3), jr.Residual(BOTH)), N),
        TypeError,
        f"layer 1 of Stack, Residual({BOTH}): cell of Residual, {BOTH}: {BOTH} cannot "
        "step: its outputs depend on later inputs",
    ),
    "leaps_of_no_memory": (
        lambda: jr.SkipThroughTime(jr.Dropout(0.5), 2),
        ValueError,
        "`SkipThroughTime` needs a cell with a memory, got Dropout(0.5)",
    ),
    "leaps_of_no_length": (
        lambda: jr.SkipThroughTime(jr.LSTM(3), 0),
        ValueError,
        "`k` must be at least 1, got 0",
    ),
    "30_a_rate_that_is_no_probability": (
        lambda: jr.Dropout(1.2),
        ValueError,
        "`rate` must lie in [0, 1], got 1.2",
    ),
}


@pytest.mark.parametrize("call, error, message", ERRORS.values(), ids=ERRORS.keys())
def test_errors(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        call()
