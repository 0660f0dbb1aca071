"""However a loop lies in memory, its numbers are the same."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

import jaxrnn as jr
from jaxrnn.unroll import run
from jaxrnn.unroll.layout import Layout, fastest

unroll = importlib.import_module("jaxrnn.unroll.unroll")
T, B, N, H = 6, 9, 3, 5
CELLS = {
    "lstm": jr.LSTM(H),
    "gru_after": jr.GRU(H, reset="after"),
    "stack": jr.Stack(jr.Bidirectional(jr.GRU(H)), jr.Dropout(0.3), jr.Elman(7)),
}
FLAGS = {
    "mask": jax.random.bernoulli(jax.random.key(2), 0.7, (T, B)),
    "reset": jax.random.bernoulli(jax.random.key(3), 0.3, (T, B)),
    "key": jax.random.key(4),
}


def draw(*shape):
    return jax.random.normal(jax.random.key(len(shape)), shape, jnp.float64)


def everything(cell, layout, monkeypatch, **options):
    """The value, and its gradient with respect to parameters and inputs."""
    monkeypatch.setattr(run, "fastest", lambda *_: layout)
    unroll._compiled.clear_cache()
    params = cell.init(jax.random.key(0), N)
    params = jax.tree.map(lambda a: draw(*a.shape), params)
    point = params, draw(T, B, N)

    def value(point):
        out = jr.unroll(cell, *point, collect=lambda carry: carry, **options)
        return sum(jnp.sum(jnp.sin(a)) for a in jax.tree.leaves(out))

    return jax.jit(jax.value_and_grad(value))(point)


@pytest.mark.parametrize(
    "name, options",
    [
        ("lstm", {}),
        pytest.param("gru_after", FLAGS, marks=pytest.mark.slow),
        pytest.param("stack", FLAGS | {"reverse": True}, marks=pytest.mark.slow),
    ],
)
def test_layouts_give_the_same_numbers(name, options, monkeypatch):
    found, expected = (
        everything(CELLS[name], each, monkeypatch, **options) for each in Layout
    )
    for a, b in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_what_outgrows_the_cache_runs_as_columns():
    zs = lambda steps: jax.ShapeDtypeStruct((steps, 64, 1024), jnp.float32)
    assert fastest((64,), zs(64)) is Layout.AHEAD  # 16 MiB
    assert fastest((64,), zs(65)) is Layout.COLUMNS
    assert fastest((7,), zs(65)) is fastest((), zs(65)) is Layout.AHEAD
    assert fastest((8, 8), zs(65)) is Layout.AHEAD


@pytest.mark.parametrize("layout", list(Layout))
def test_products_in_the_gradients_loops_read_along_rows(layout, monkeypatch):
    # A transpose inside a loop is paid for at every step.
    monkeypatch.setattr(run, "fastest", lambda *_: layout)
    jax.clear_caches()
    cell = CELLS["lstm"]
    params = cell.init(jax.random.key(0), N)
    loss = lambda params, xs: jnp.sum(jr.unroll(cell, params, xs)[1] ** 2)
    xs = jnp.ones((T, B, N), jnp.float32)
    products = list(in_loops(jax.make_jaxpr(jax.grad(loss))(params, xs).jaxpr))
    assert {eqn.primitive.name for eqn in products} == {"dot_general", "held_product"}
    for eqn in products:
        if eqn.primitive.name == "dot_general":
            assert eqn.params["dimension_numbers"] == (((1,), (0,)), ((), ()))


def in_loops(jaxpr, inside=False):
    """The products in the bodies of all scans of a program."""
    for eqn in jaxpr.eqns:
        if inside and eqn.primitive.name in ("dot_general", "held_product"):
            yield eqn
        for inner in jaxprs_in_params(eqn.params):
            yield from in_loops(inner, inside or eqn.primitive.name == "scan")
