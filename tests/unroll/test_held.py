"""The product that holds its matrix both ways round is that product, differentiated."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxrnn.unroll import held

KEYS = jax.random.split(jax.random.key(0), 3)
DOUBLE = {"precision": None, "preferred_element_type": jnp.float64}
MATRIX = jax.random.normal(KEYS[0], (3, 5), jnp.float64)


def columns(moving, matrix):
    return held.product(moving, matrix, matrix.T, axis=0, **DOUBLE)


def rows(moving, matrix):
    return held.product(moving, matrix, matrix.T, axis=-1, **DOUBLE)


CASES = [
    pytest.param(columns, (5, 7), lambda a, m: m @ a, id="columns"),
    pytest.param(rows, (7, 3), lambda a, m: a @ m, id="rows"),
]


@pytest.mark.parametrize("product, shape, plain", CASES)
def test_it_is_the_product(product, shape, plain):
    moving = jax.random.normal(KEYS[1], shape, jnp.float64)
    expected = plain(np.asarray(moving), np.asarray(MATRIX))
    np.testing.assert_allclose(product(moving, MATRIX), expected, rtol=1e-14)
    np.testing.assert_allclose(jax.jit(product)(moving, MATRIX), expected, rtol=1e-14)


@pytest.mark.parametrize("product, shape, plain", CASES)
def test_its_derivatives_are_differences(product, shape, plain):
    moving = jax.random.normal(KEYS[1], shape, jnp.float64)
    check_grads(lambda a, m: jnp.sin(product(a, m)), (moving, MATRIX), order=2)


@pytest.mark.parametrize("axes", [(0, None), (2, None), (None, 0), (1, 0)])
@pytest.mark.parametrize("product, shape, plain", CASES)
def test_mapped_it_is_the_loop(product, shape, plain, axes):
    count = 4
    mapped = lambda shape, axis: (
        shape if axis is None else (*shape[:axis], count, *shape[axis:])
    )
    moving = jax.random.normal(KEYS[1], mapped(shape, axes[0]), jnp.float64)
    matrix = jax.random.normal(KEYS[2], mapped(MATRIX.shape, axes[1]), jnp.float64)
    function = lambda a, m: jnp.sin(product(a, m))
    together = jax.vmap(function, axes)(moving, matrix)
    one = lambda a, axis, i: a if axis is None else jnp.take(a, i, axis)
    for i in range(count):
        alone = function(one(moving, axes[0], i), one(matrix, axes[1], i))
        np.testing.assert_allclose(together[i], alone, rtol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("axes", [(0, None), (None, 0), (1, 0)])
@pytest.mark.parametrize("product, shape, plain", CASES)
def test_mapped_it_has_its_derivatives(product, shape, plain, axes):
    stacked = lambda a, axis: a if axis is None else jnp.stack([a, 2 * a, 3 * a], axis)
    moving = jax.random.normal(KEYS[1], shape, jnp.float64)
    point = stacked(moving, axes[0]), stacked(MATRIX, axes[1])
    check_grads(jax.vmap(lambda a, m: jnp.sin(product(a, m)), axes), point, order=2)


def test_the_transpose_reads_the_turned_matrix():
    # In a loop that is the difference between a product and a product and a transpose.
    back = jax.linear_transpose(lambda a: columns(a, MATRIX), jnp.ones((5, 7)))
    text = str(jax.make_jaxpr(back)(jnp.ones((3, 7))))
    assert text.count("held_product") == 1
    assert "dot_general" not in text


def test_half_precision_comes_back_as_it_went():
    half = MATRIX.astype(jnp.bfloat16)
    options = {"precision": None, "preferred_element_type": jnp.float32}
    product = lambda a: held.product(a, half, half.T, axis=0, **options)
    moving = jnp.ones((5, 7), jnp.bfloat16)
    assert product(moving).dtype == jnp.float32
    assert jax.grad(lambda a: product(a).sum())(moving).dtype == jnp.bfloat16
