"""Tiles change where things are computed, and no number."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from jaxrnn.unroll.chunks import tile_size

chunks = importlib.import_module("jaxrnn.unroll.chunks")
engine = importlib.import_module("jaxrnn.unroll.unroll")
T, B, N, H = 12, 3, 4, 5
MODEL = jr.Stack(
    jr.Dense(6), jr.Bidirectional(jr.Elman(4)), jr.Dropout(0.3), jr.LSTM(H)
)
PARAMS = jax.tree.map(lambda a: a.astype(jnp.float64), MODEL.init(jax.random.key(0), N))


@pytest.fixture(autouse=True)
def forget_programs():
    yield
    engine._compiled.clear_cache()


def run(limit, monkeypatch, **options):
    """Everything that comes out, gradients included, with tiles of `limit` bytes."""
    monkeypatch.setattr(chunks, "_TILE_BYTES", limit)
    monkeypatch.setattr(chunks, "_TILE_ROWS", 1)
    engine._compiled.clear_cache()
    xs = jax.random.normal(jax.random.key(1), (T, B, N), jnp.float64)

    def objective(params, xs):
        out = jr.unroll(MODEL, params, xs, collect=lambda carry: carry, **options)
        return sum(jnp.sum(jnp.sin(a)) for a in jax.tree.leaves(out)), out

    return jax.jit(jax.grad(objective, (0, 1), has_aux=True))(PARAMS, xs)


@pytest.mark.parametrize("reverse", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize(  # a step, and 3 to 5 steps, not all even
    "limit", [pytest.param(1, marks=pytest.mark.slow), 1500]
)
def test_tiles_equal_the_whole(limit, reverse, monkeypatch):
    options = {
        "mask": jax.random.bernoulli(jax.random.key(2), 0.7, (T, B)),
        "reset": jax.random.bernoulli(jax.random.key(3), 0.3, (T, B)),
        "reverse": reverse,
        "key": jax.random.key(4),
    }
    tiled = run(limit, monkeypatch, **options)
    whole = run(2**30, monkeypatch, **options)
    for a, b in zip(jax.tree.leaves(tiled), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_long_sequences_are_tiled_and_short_ones_are_not():
    shapes = lambda steps: jax.ShapeDtypeStruct((steps, B, 4 * H), jnp.float32)
    step = B * 4 * H * 4
    many = chunks._TILE_ROWS
    assert tile_size(shapes(20), many, limit=10 * step) is None
    assert tile_size(shapes(23), many, limit=10 * step) == 10  # no divisor in reach
    assert tile_size(shapes(100), many, limit=13 * step) == 10
    assert tile_size(shapes(100), many, limit=1) == 1
    assert tile_size((), many, limit=1) is None


def test_a_tile_has_rows_enough_for_a_product():
    shapes = lambda steps: jax.ShapeDtypeStruct((steps, 64, 4 * H), jnp.float32)
    assert tile_size(shapes(64), 64, limit=1) == 1024 // 64
    assert tile_size(shapes(16), 64, limit=1) is None  # it is one tile


def test_a_gradient_step_keeps_carries_and_products_alone():
    # Of [T, B, H]: 4 for the gates, 2 for the carry, 1 each for the inputs, the
    # outputs and the outputs' cotangents.
    steps, rows, size = 512, 8, 256
    cell = jr.LSTM(size)
    params = jax.eval_shape(lambda: cell.init(jax.random.key(0), size))
    xs = jax.ShapeDtypeStruct((steps, rows, size), jnp.float32)
    loss = lambda params, xs: jnp.sum(jr.unroll(cell, params, xs)[1] ** 2)
    memory = jax.jit(jax.grad(loss)).lower(params, xs).compile().memory_analysis()
    unit = steps * rows * size * 4
    weights = sum(a.size * 4 for a in jax.tree.leaves(params))
    assert memory.temp_size_in_bytes < 9.5 * unit + 4 * weights + 2 * chunks._TILE_BYTES
