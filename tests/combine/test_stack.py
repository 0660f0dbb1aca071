"""Layers one after another are layers run one after another."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from laws.harness import close

T, B, INPUTS, WORDS = 6, 3, 2, 7
_rng = np.random.default_rng(0)
XS = _rng.normal(size=(T, B, INPUTS))
TOKENS = _rng.integers(WORDS, size=(T, B))
FLAGS = {"mask": _rng.random((T, B)) < 0.7, "reset": _rng.random((T, B)) < 0.3}

stack = functools.partial(jr.Stack, param_dtype="float64")


def step_by_step(cell, params, xs, *, key=None, start=0):
    """The loop that a user writes for streaming."""
    ready = cell.prepare(params, key=jr.sequence_key(key))
    carry, ys = cell.initial_carry(ready, (B,)), []

    @jax.jit
    def step(carry, x, t):
        own = None if key is None else jax.random.fold_in(key, t)
        return cell.step(ready, carry, x, key=own)

    for t, x in enumerate(xs):
        carry, y = step(carry, x, start + t)
        ys.append(y)
    return carry, np.stack(ys)


def test_is_its_layers_run_one_after_another():
    model = stack(jr.Embed(WORDS, 4), jr.Elman(5), jr.Map("relu"), jr.Elman(3))
    params = parameters(model)
    xs, carries = TOKENS, []
    for layer, own in zip(model.cells, params, strict=True):
        carry, xs = jr.unroll(layer, own, xs, **FLAGS)
        carries.append(carry)
    close(jr.unroll(model, params, TOKENS, **FLAGS), (tuple(carries), xs))
    assert model.output_size(None) == 3 and model.input_ndim == 0


def test_streaming_is_the_unroll():
    model = stack(jr.Embed(WORDS, 3), jr.Elman(5), jr.Elman(4), jr.Dense(2))
    params = parameters(model)
    close(step_by_step(model, params, TOKENS), jr.unroll(model, params, TOKENS))


def test_streaming_draws_what_the_unroll_draws():
    """In nested stacks too, before and behind the first layer with a memory."""
    model = stack(jr.Dropout(0.3), stack(jr.Elman(5), jr.Dropout(0.5)), jr.Elman(4))
    params, key = parameters(model, INPUTS), jax.random.key(3)
    expected = jr.unroll(model, params, XS, key=key, start=5)
    close(step_by_step(model, params, XS, key=key, start=5), expected)


def test_layers_draw_different_numbers_and_none_without_a_key():
    model = jr.Stack(jr.Dropout(0.5), jr.Map("relu"), jr.Dropout(0.5))
    params, ones = ({}, {}, {}), np.ones((T, B, 50))
    np.testing.assert_array_equal(jr.unroll(model, params, ones)[1], 1)
    ys = np.asarray(jr.unroll(model, params, ones, key=jax.random.key(1))[1])
    # Of independent masks a quarter is kept; had they been the same, a half.
    assert set(np.unique(ys)) == {0, 4} and 0.2 < np.mean(ys != 0) < 0.3


def test_a_stack_in_a_stack_is_one_stack():
    flat = stack(jr.Dense(3), jr.Elman(5), jr.LSTM(4), jr.Dense(6))
    nested = stack(stack(jr.Dense(3), jr.Elman(5)), stack(jr.LSTM(4)), jr.Dense(6))
    a, b, c, d = parameters(flat, INPUTS)
    shapes = lambda params: jax.tree.map(jnp.shape, params)
    params = ((a, b), (c,), d)
    assert shapes(parameters(nested, INPUTS)) == shapes(params)
    (first, second, third, fourth), ys = jr.unroll(flat, (a, b, c, d), XS, **FLAGS)
    carry = ((first, second), (third,), fourth)
    close(jr.unroll(nested, params, XS, **FLAGS), (carry, ys))
    assert nested.hidden(carry) is third.hidden


def test_without_any_memory():
    model = stack(jr.Dense(4), jr.Map("tanh"), jr.Dense(3))
    first, _, last = params = parameters(model, INPUTS)
    ys = np.tanh(XS @ first["kernel"] + first["bias"]) @ last["kernel"] + last["bias"]
    mask = FLAGS["mask"]
    got = jr.unroll(model, params, XS, mask=mask)
    close(got, (((), (), ()), np.where(mask[..., None], ys, 0)))
    close(step_by_step(model, params, XS), (((), (), ()), np.asarray(ys)))
    message = f"{model} has no hidden state: none of its layers has a memory"
    for use in (model.hidden, lambda carry: model.with_hidden(carry, 0)):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            use(got[0])


def test_one_layer_is_that_layer():
    cell = jr.Elman(4, param_dtype="float64")
    params = parameters(cell, INPUTS)
    carry, ys = jr.unroll(cell, params, XS, **FLAGS)
    close(jr.unroll(jr.Stack(cell), (params,), XS, **FLAGS), ((carry,), ys))


def test_hidden_is_the_last_layers_with_a_memory():
    model = jr.Stack(jr.Elman(5), jr.LSTM(4), jr.Dense(2))
    carry = model.initial_carry(model.prepare(parameters(model, INPUTS)), (B,))
    assert model.hidden(carry) is carry[1].hidden
    other = model.with_hidden(carry, "another")
    assert other[1].hidden == "another"
    assert other[0] is carry[0] and other[1].cell is carry[1].cell


def test_dtypes_are_handed_down_to_those_that_state_none():
    own = jr.LSTM(4, dtype="bfloat16")
    model = jr.Stack(jr.Dense(3), jr.Stack(own), dtype="float16", param_dtype="float32")
    dense, (inner,) = model.cells[0], model.cells[1].cells
    assert (dense.dtype, dense.param_dtype) == ("float16", "float32")
    assert (inner.dtype, inner.param_dtype) == ("bfloat16", "float32")


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ((), ValueError, "`Stack` must have at least one layer, got none"),
        (
            (jr.Elman(3), jnp.tanh),
            TypeError,
            "layer 1 of `Stack` must be a cell, got ",
        ),
        (
            ([jr.Elman(3)],),
            TypeError,
            "layer 0 of `Stack` must be a cell, got [Elman(3)]",
        ),
        (
            (jr.Elman,),
            TypeError,
            "layer 0 of `Stack` must be a cell, got <class 'jaxrnn.cells.elman.Elman'>",
        ),
    ],
)
def test_what_is_no_stack(layers, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        jr.Stack(*layers)


def test_sizes_that_do_not_chain_name_the_layer():
    model = stack(jr.Dense(3), jr.Elman(5), jr.Dense(2))
    dense, elman, _ = parameters(model, INPUTS)
    params = (dense, elman, parameters(model.cells[2], 4))
    message = (
        f"layer 2 of Stack, {model.cells[2]}: `x` must have 4 features in its last "
        "axis, as the kernel [4, 2] has rows, got shape "
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        jr.unroll(model, params, XS)
    ready = model.prepare(params)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        model.step(ready, model.initial_carry(ready, (B,)), XS[0])


def test_inputs_of_another_size_name_the_layer():
    model = jr.Stack(jr.Elman(5), jr.Dense(2))
    message = (
        "layer 0 of Stack, Elman(5): `x` must have 3 features in its last axis, as the "
        "kernel [3, 5] has rows, got shape (6, 3, 2)"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        jr.unroll(model, parameters(model, INPUTS + 1), XS)


def test_an_error_in_a_nested_stack_names_the_way():
    model = jr.Stack(jr.Dense(3), jr.Stack(jr.Elman(5), jr.Dense(2)))
    dense, (elman, _) = parameters(model, INPUTS)
    params = (dense, (elman, parameters(jr.Dense(2), 4)))
    place = "layer 1 of Stack, Stack(Elman(5), Dense(2)): layer 1 of Stack, Dense(2): "
    with pytest.raises(ValueError, match=f"^{re.escape(place)}"):
        jr.unroll(model, params, XS)


def test_parameters_of_another_number_of_layers():
    model = jr.Stack(jr.Elman(5), jr.Dense(2))
    params = parameters(model, INPUTS)
    message = "`params` of Stack must hold one entry a layer, 2, got 1"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        jr.unroll(model, params[:1], XS)
