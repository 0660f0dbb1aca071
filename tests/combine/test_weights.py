"""Weights that are dropped or noisy: drawn once a sequence, in training alone."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from laws.harness import close, same_bits

T, B, N, H = 5, 3, 2, 4
XS = np.random.default_rng(0).normal(size=(T, B, N))
KEY = jax.random.key(1, impl="unsafe_rbg")  # its programs compile in half the time
INNER = {
    "cell": jr.GRU(H, param_dtype="float64"),
    "stack": jr.Stack(jr.Dropout(0.4), jr.LSTM(H), jr.Elman(3), param_dtype="float64"),
    "both": jr.Bidirectional(jr.Residual(jr.Elman(N)), param_dtype="float64"),
}
around = pytest.mark.parametrize("inner", INNER.values(), ids=INNER.keys())


@functools.partial(jax.jit, static_argnums=0)
def prepared(cell, params, key):
    return cell.prepare(params, input_shape=(B, N), key=key)


@around
def test_recurrent_weights_are_dropped_wherever_they_stand(inner):
    cell = jr.WeightDrop(inner, 0.4)
    params = parameters(cell, N)
    ready = prepared(cell, params, KEY)
    changed = 0
    for (path, used), weights in zip(
        jax.tree.leaves_with_path(ready), jax.tree.leaves(params), strict=True
    ):
        if path[-1].key == "recurrent_kernel":
            used = np.asarray(used)
            close(used[used != 0], np.asarray(weights)[used != 0] / 0.6)
            changed += np.any(used == 0) and np.any(used)
        else:
            same_bits(used, weights)
    assert changed == {"GRU": 1, "Stack": 2, "Bidirectional": 2}[type(inner).__name__]


def test_noise_is_added_to_all_weights():
    cell = jr.WeightNoise(INNER["stack"], 0.5)
    params = parameters(cell, N)
    ready = prepared(cell, params, KEY)
    for used, weights in zip(
        jax.tree.leaves(ready), jax.tree.leaves(params), strict=True
    ):
        assert np.all(np.asarray(used) != np.asarray(weights))


@pytest.mark.parametrize(
    "wrapper", [jr.WeightDrop, pytest.param(jr.WeightNoise, marks=pytest.mark.slow)]
)
def test_nothing_is_drawn_in_evaluation_or_at_zero(wrapper):
    inner = INNER["stack"]
    params = parameters(inner, N)
    plain = jr.unroll(inner, params, XS)
    same_bits(jr.unroll(wrapper(inner, 0.7), {"cell": params}, XS), plain)
    plain = jr.unroll(inner, params, XS, key=KEY)
    same_bits(jr.unroll(wrapper(inner, 0.0), {"cell": params}, XS, key=KEY), plain)


@pytest.mark.parametrize(
    "wrapper", [jr.WeightDrop, pytest.param(jr.WeightNoise, marks=pytest.mark.slow)]
)
def test_all_steps_and_rows_use_the_same_weights(wrapper):
    cell = wrapper(INNER["cell"], 0.4)
    params = parameters(cell, N)
    ready = prepared(cell, params, jr.sequence_key(KEY))
    plain = jr.unroll(cell.cell, ready["cell"], XS)
    close(jr.unroll(cell, params, XS, key=KEY), plain)


def test_a_rate_of_one_cuts_the_recurrence():
    cell = jr.WeightDrop(jr.Elman(H), 1, param_dtype="float64")
    params = parameters(cell, N)
    own = params["cell"]
    _, ys = jr.unroll(cell, params, XS, key=KEY)
    close(ys, np.tanh(XS @ own["kernel"] + own["bias"]))
    slopes = jax.grad(lambda p: jr.unroll(cell, p, XS, key=KEY)[1].sum())(params)
    assert not np.any(slopes["cell"]["recurrent_kernel"])
    assert np.all(slopes["cell"]["kernel"])


@pytest.mark.slow
def test_gradients_reach_the_weights_that_are_kept():
    cell = jr.WeightDrop(jr.Elman(H), 0.5, param_dtype="float64")
    params = parameters(cell, N)
    ready = prepared(cell, params, jr.sequence_key(KEY))
    slopes = jax.grad(lambda p: jr.unroll(cell, p, XS, key=KEY)[1].sum())(params)
    kept = np.asarray(ready["cell"]["recurrent_kernel"]) != 0
    assert 0 < kept.sum() < kept.size
    np.testing.assert_array_equal(
        np.asarray(slopes["cell"]["recurrent_kernel"]) != 0, kept
    )


def test_weights_are_dropped_with_the_rate():
    rate, size = 0.3, 300
    cell = jr.WeightDrop(jr.LSTM(size), rate)
    params = {"cell": {"recurrent_kernel": jnp.ones((size, 4 * size))}}
    used = np.asarray(cell.prepare(params, key=KEY)["cell"]["recurrent_kernel"])
    deviation = 5 * np.sqrt(rate * (1 - rate))
    assert abs(np.mean(used == 0) - rate) < deviation / np.sqrt(used.size)
    assert np.all(abs(np.mean(used == 0, axis=0) - rate) < deviation / np.sqrt(size))


def test_noise_has_the_deviation():
    cell = jr.WeightNoise(jr.Elman(4), 0.075)
    params = {"cell": {"kernel": jnp.ones((400, 500))}}
    noise = np.asarray(cell.prepare(params, key=KEY)["cell"]["kernel"]) - 1
    assert abs(noise.mean()) < 5 * 0.075 / np.sqrt(noise.size)
    assert abs(noise.std() - 0.075) < 5 * 0.075 / np.sqrt(2 * noise.size)


def test_other_weights_are_dropped_by_their_name():
    """Words: a row of an embedding is a word, here its numbers are dropped apart."""
    cell = jr.WeightDrop(jr.Embed(7, 3), 1.0, name="embedding")
    params = parameters(cell)
    _, ys = jr.unroll(cell, params, np.arange(7), key=KEY)
    assert not np.any(ys)


@pytest.mark.parametrize(
    "inner", [jr.Dense(3), jr.Stack(jr.Embed(7, 3), jr.Dropout(0.1))], ids=str
)
def test_without_recurrent_weights_there_is_nothing_to_drop(inner):
    cell = jr.Stack(jr.WeightDrop(inner, 0.5))
    message = (
        f"layer 0 of Stack, {cell.cells[0]}: `WeightDrop` needs a cell with a "
        f"parameter `recurrent_kernel`, got {inner}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        parameters(cell, 2)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        cell.prepare(({"cell": parameters(inner, 2)},))


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_rates_are_probabilities(rate):
    message = f"`rate` must lie in [0, 1], got {rate}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        jr.WeightDrop(jr.LSTM(3), rate)


@pytest.mark.parametrize("stddev", [-0.1, float("inf"), float("nan")])
def test_deviations_are_positive_numbers(stddev):
    message = f"`stddev` must be at least 0, got {stddev}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        jr.WeightNoise(jr.LSTM(3), stddev)
