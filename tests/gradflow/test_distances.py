"""The split of gradients by distance: its parts add up to all of it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from jaxrnn.gradflow import measure
from jaxrnn.gradflow.distances import by_distance
from jaxrnn.gradflow.observe import Observed, observed
from jaxrnn.unroll.arrange import Arrays

T, B, N, H = 7, 4, 3, 5
_rng = np.random.default_rng(0)
XS = jnp.asarray(_rng.normal(size=(T, B, N)))
WEIGHTS = jnp.asarray(_rng.normal(size=(T, B, H)))
MASK = jnp.asarray(_rng.random((T, B)) < 0.7).at[:, 2].set(False)
RESET = jnp.asarray(_rng.random((T, B)) < 0.2)


def weighted(ys):
    return jnp.sum(jnp.sin(ys) * WEIGHTS)


@functools.partial(jax.jit, static_argnums=0)
def split(model, params):
    """G_k of every recurrence, and dL/dW of its weights."""
    run = Observed((B,)).with_arrays(Arrays(XS, MASK, RESET), None, 0)
    start = model.initial_carry(params, (B,))
    outputs = lambda run: run(model, params, start, XS)[1]
    _, *found = observed(outputs, weighted, run)

    def one(place, note, gradient):
        flipped = jnp.flip(gradient.output, 0) if place.backwards else gradient.output
        parts, _ = by_distance(place, note, flipped, kept=lambda dW: dW, count=T)
        return parts, jax.tree.leaves(gradient.ready)

    return [one(*each) for each in zip(*found, strict=True)]


@pytest.mark.parametrize(
    "direction", ["forward", pytest.param("both", marks=pytest.mark.slow)]
)
def test_the_parts_are_the_whole(direction):
    model = jr.LSTM(H, param_dtype="float64")
    if direction == "both":
        gru = jr.GRU(H, param_dtype="float64")
        model = jr.Bidirectional(jr.Elman(H, param_dtype="float64"), gru, merge="sum")
    params = model.init(jax.random.key(0), N)

    def value(params):
        return weighted(jr.unroll(model, params, XS, mask=MASK, reset=RESET)[1])

    expected = jax.tree.leaves(jax.jit(jax.grad(value))(params))
    if direction == "both":  # the backward cell's name stands first in the alphabet
        expected = [*expected[3:], *expected[:3]]
    found = [
        pair for parts in split(model, params) for pair in zip(*parts, strict=True)
    ]
    for (parts, whole), gradient in zip(found, expected, strict=True):
        np.testing.assert_allclose(whole, gradient, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(parts.sum(axis=0), gradient, rtol=1e-9, atol=1e-12)


def test_a_state_that_halves():
    half = jr.initializers.Identity(0.5)
    cell = jr.Elman(H, activation="relu", recurrent_init=half, param_dtype="float64")
    params = cell.init(jax.random.key(0), N)
    params["kernel"], xs = jnp.abs(params["kernel"]), jnp.abs(XS)
    last = lambda ys: jnp.sum(ys[-1])
    (layer,) = measure(cell, params, xs, last, rows=0).layers.values()
    norms, shares, reach = layer.distances
    back = 0.5 ** np.arange(T)
    np.testing.assert_allclose(reach, back)
    # The gradient of the bias is 1 + 1/2 + 1/4 + ..
    np.testing.assert_allclose(norms["bias"], B * np.sqrt(H) * back)
    np.testing.assert_allclose(shares["bias"], back / back.sum())
    np.testing.assert_allclose(
        layer.norms["hidden"], np.sqrt(H) * back[::-1, None].repeat(B, 1)
    )
    near = measure(cell, params, xs, last, distances=3, rows=0).layers["Elman"]
    np.testing.assert_allclose(near.distances.shares["bias"], shares["bias"][:3])


@pytest.mark.slow
def test_each_layer_has_its_own():
    model = jr.Stack(jr.Elman(4), jr.Dense(3), jr.LSTM(H), param_dtype="float64")
    params = parameters(model, N)
    flow = measure(model, params, XS, weighted, rows=0)
    assert list(flow.layers) == ["0 Elman", "2 LSTM"]
    for layer in flow.layers.values():
        for share in layer.distances.shares.values():
            assert float(share.sum()) == pytest.approx(1)
