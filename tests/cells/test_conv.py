"""Convolutional cells: space of any rank, and what they say of what does not fit."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from jaxrnn.cells.conv import patches
from laws.harness import close

T, B, N, C = 5, 2, 3, 4
SPACES = {(7,): (3,), (6, 5): (3, 2), (5, 4, 6): (1, 3, 2)}
_rng = np.random.default_rng(0)


@pytest.mark.parametrize("space, window", SPACES.items(), ids=str)
def test_a_product_with_patches_is_the_convolution_of_lax(space, window):
    x = jnp.asarray(_rng.normal(size=(B, *space, N)))
    kernel = jnp.asarray(_rng.normal(size=(*window, N, C)))
    letters = "DHW"[: len(space)]
    layout = (f"N{letters}C", f"{letters}IO", f"N{letters}C")
    ones = (1,) * len(space)
    expected = jax.lax.conv_general_dilated(
        x, kernel, ones, "SAME", dimension_numbers=layout
    )
    close(patches(x, window) @ kernel.reshape(-1, C), expected)


@pytest.mark.parametrize("kind", [jr.ConvLSTM, jr.ConvGRU])
@pytest.mark.parametrize("space, window", SPACES.items(), ids=str)
def test_outputs_and_carries_keep_the_space(kind, space, window):
    cell = kind(C, window)
    params = parameters(cell, (*space, N))
    places = np.prod(window)
    assert params["kernel"].shape[0] == places * N
    assert params["recurrent_kernel"].shape[0] == places * C
    carry, ys = jr.unroll(cell, params, _rng.normal(size=(T, B, *space, N)))
    assert ys.shape == (T, B, *space, C)
    assert {leaf.shape for leaf in jax.tree.leaves(carry)} == {(B, *space, C)}
    assert cell.output_size((*space, N)) == (*space, C)


def test_the_same_parameters_work_on_images_of_another_size():
    cell = jr.ConvLSTM(C)
    params = parameters(cell, (6, 5, N))
    assert jr.unroll(cell, params, np.ones((T, 9, 8, N)))[1].shape == (T, 9, 8, C)


def test_a_window_of_one_is_the_plain_cell_at_every_place():
    xs = _rng.normal(size=(T, B, 6, N))
    for kind, plain in ((jr.ConvLSTM, jr.LSTM), (jr.ConvGRU, jr.GRU)):
        params = parameters(plain(C, param_dtype="float64"), N)
        close(jr.unroll(kind(C, (1,)), params, xs), jr.unroll(plain(C), params, xs))


def test_layers_hand_images_on():
    layers = jr.ConvLSTM(C), jr.Residual(jr.ConvGRU(C)), jr.Map("relu")
    cell = jr.Stack(*layers, param_dtype="float64")
    params, xs = parameters(cell, (6, 5, N)), _rng.normal(size=(T, B, 6, 5, N))
    carry, ys = jr.unroll(cell, params, xs)
    assert ys.shape == (T, B, 6, 5, C)
    ready = cell.prepare(params, input_shape=xs.shape[1:])
    state = cell.initial_carry(ready, (B,))
    for x in xs:
        state, y = cell.step(ready, state, x)
    close((state, y), (carry, ys[-1]))


def test_forget_gates_start_open():
    bias = jr.ConvLSTM(C, forget_bias=2.0).init(jax.random.key(0), (6, 5, N))["bias"]
    assert bias.tolist() == [0] * C + [2] * C + [0] * 2 * C


def test_stepping_by_hand_needs_the_shape_for_the_first_carry_alone():
    cell, x = jr.ConvGRU(C), jnp.ones((B, 6, 5, N))
    params = parameters(cell, (6, 5, N))
    ready = cell.prepare(params)
    with pytest.raises(ValueError, match=r"`prepare\(params, input_shape=x.shape\)`"):
        cell.initial_carry(ready, (B,))
    carry = cell.initial_carry(cell.prepare(params, input_shape=x.shape), (B,))
    assert cell.step(ready, carry, x)[1].shape == (B, 6, 5, C)


@pytest.mark.parametrize("size", [None, 3, (5, 3), (5, 0, 3), (6, 5, 4, 3)], ids=str)
def test_the_input_size_must_have_an_axis_of_the_window_each(size):
    message = (
        "`input_size` of ConvLSTM must be (*space, features), space of as many axes as "
        f"`window` (3, 3) has, got {size!r}"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        jr.ConvLSTM(C).init(jax.random.key(0), size)


@pytest.mark.parametrize(
    "window, error, message",
    [
        (3, TypeError, "`window` must be a tuple of sizes"),
        ((), TypeError, "`window` must be a tuple of sizes"),
        ((3, 0), ValueError, "`window` must be at least 1, got 0"),
        ((3, 1.5), TypeError, "`window` must be an integer, got 1.5"),
    ],
    ids=str,
)
def test_windows_that_are_none(window, error, message):
    with pytest.raises(error, match=message):
        jr.ConvLSTM(C, window)


def test_inputs_that_do_not_fit():
    cell = jr.ConvLSTM(C)
    params = parameters(cell, (6, 5, N))
    with pytest.raises(ValueError, match="`x` must have 3 features in its last axis"):
        jr.unroll(cell, params, np.ones((T, B, 6, 5, N + 1)))
    with pytest.raises(ValueError, match="a time axis and 3 input axes"):
        jr.unroll(cell, params, np.ones((T, 5, N)))
