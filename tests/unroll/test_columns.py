"""A step on columns is the step on rows, whatever it is made of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from jaxrnn.unroll import columns

ROWS, N, H = 11, 3, 5


def attention_like(fixed, carry, x):
    """Every rule, and what has none: sorting, transposing, a product of two moving."""
    kernel, bias = fixed
    h = jnp.tanh(x @ kernel + bias) + carry
    parts = jnp.concatenate(jnp.split(h, [2], axis=-1)[::-1], axis=-1)
    grid = parts.reshape(ROWS, H, 1) * jnp.ones((1, 1, 2), jnp.float32)
    mean = grid.sum(axis=(1, 2))[:, None]
    scores = jax.nn.softmax(jnp.sort(h, axis=-1) - mean, axis=-1)
    across = jnp.cumsum((h @ h.T) @ jnp.squeeze(grid[:, :, :1], 2), axis=0)
    chosen = jnp.where(mean > 0, scores, jax.nn.relu(across).T.T)
    return chosen + jax.nn.gelu(h[:, ::-1]) + bias[None].max()


def draw(*shape):
    rng = np.random.default_rng(len(shape) + shape[-1])
    return jnp.asarray(rng.normal(size=shape), jnp.float32)


FIXED, CARRY, X = (draw(N, H), draw(H)), draw(ROWS, H), draw(ROWS, N)


def test_columns_are_rows_turned():
    found = columns.in_columns(attention_like)(FIXED, CARRY.T, X)
    expected = attention_like(FIXED, CARRY, X).T
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "cell",
    [
        jr.LSTM(H),
        jr.GRU(H),
        jr.GRU(H, reset="after"),
        jr.Elman(H),
        jr.Elman(H, activation="relu"),  # a function with a rule of its own
        jr.Elman(H, activation="gelu"),
        jr.LSTM(H, layer_norm=True),
    ],
    ids=str,
)
def test_a_cell_is_turned_without_turning_back(cell, monkeypatch):
    plainly, back = columns._plainly, []

    def spy(equation, operands):
        back.extend(equation.primitive.name for v in operands if v.turned)
        return plainly(equation, operands)

    monkeypatch.setattr(columns, "_plainly", spy)
    params = cell.init(jax.random.key(0), N)
    ready = cell.prepare(params)
    carry = jax.tree.map(lambda a: draw(*a.shape), cell.initial_carry(ready, (ROWS,)))
    step = lambda ready, carry, x: cell.recur(ready, carry, cell.project(ready, x))
    found = columns.in_columns(step)(ready, columns.turned(carry), X)
    expected = columns.turned(step(ready, carry, X))
    assert back == []
    for a, b in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


def test_turning_back_undoes_turning():
    tree = {"a": draw(2, 3, 4), "b": draw(5)}
    again = columns.turned_back(columns.turned(tree))
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), tree, again))
