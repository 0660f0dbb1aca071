"""Clipping: against float64 NumPy, at the ends of what numbers can be."""

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxrnn.training import clip, global_norm

SHAPES = {"first": (5,), "second": {"kernel": (3, 4), "bias": ()}, "third": ((2, 2),)}
BLOCKS = {
    "norm": [[0, 1, 2, 3]],
    "block": [[0], [1, 2], [3]],
    "leaf": [[0], [1], [2], [3]],
}


def drawn(seed, dtype=np.float64, scale=1.0):
    rng = np.random.default_rng(seed)
    draw = lambda shape: jnp.asarray(scale * rng.standard_normal(shape), dtype)
    return jax.tree.map(draw, SHAPES, is_leaf=lambda s: s in ((5,), (3, 4), (), (2, 2)))


def clipped(gradient, limit, by="norm"):
    return clip(limit, by=by).update(gradient, optax.EmptyState())[0]


def size(leaves):
    return math.sqrt(sum(np.sum(np.asarray(a, np.float64) ** 2) for a in leaves))


@pytest.mark.parametrize("by", BLOCKS)
@pytest.mark.parametrize("limit", [1.5, 100.0])
def test_norms_of_all_of_blocks_and_of_leaves(by, limit):
    gradient = drawn(0)
    leaves, found = map(jax.tree.leaves, (gradient, clipped(gradient, limit, by)))
    for block in BLOCKS[by]:
        factor = min(1, limit / size([leaves[i] for i in block]))
        for i in block:
            np.testing.assert_allclose(found[i], leaves[i] * factor, 1e-14)


def test_values():
    gradient = drawn(1)
    expected = jax.tree.map(lambda a: np.clip(a, -0.5, 0.5), gradient)
    jax.tree.map(
        np.testing.assert_array_equal, clipped(gradient, 0.5, "value"), expected
    )


@pytest.mark.parametrize("scale", [1e-3, 1e5])
def test_where_nothing_overflows_it_is_optax_bit_for_bit(scale):
    gradient = drawn(2, np.float32, scale)
    theirs = jax.jit(optax.clip_by_global_norm(1.0).update)
    expected, _ = theirs(gradient, optax.EmptyState())
    found = jax.jit(lambda g: clipped(g, 1.0))(gradient)
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    np.testing.assert_array_equal(
        jax.jit(global_norm)(gradient), jax.jit(optax.tree.norm)(gradient)
    )


@pytest.mark.parametrize(
    ("dtype", "scale", "by"),
    [
        (np.float32, 1e30, "norm"),
        (np.float32, 5e37, "block"),
        (np.float32, 1e-30, "leaf"),
        (jnp.bfloat16, 1e30, "norm"),
        (np.float16, 1e4, "norm"),
        (np.float64, 1e300, "norm"),
    ],
)
def test_the_direction_stays_where_squares_overflow(dtype, scale, by):
    gradient, limit = drawn(3, dtype, scale), 2.0
    if scale < 1:
        limit *= scale
    leaves, found = map(jax.tree.leaves, (gradient, clipped(gradient, limit, by)))
    rtol = 4 * float(jnp.finfo(dtype).eps)
    for block in BLOCKS[by]:
        exact = [np.asarray(leaves[i], np.float64) / scale for i in block]
        factor = min(1, limit / scale / size(exact)) * scale
        for i, unit in zip(block, exact, strict=True):
            assert found[i].dtype == dtype
            np.testing.assert_allclose(
                np.asarray(found[i], np.float64), unit * factor, rtol
            )


@pytest.mark.parametrize("by", ["norm", "leaf"])
def test_zeros_stay_zeros(by):
    zeros = jax.tree.map(jnp.zeros_like, drawn(0, np.float32))
    found = clipped(zeros, 1.0, by)
    assert not any(a.any() for a in jax.tree.leaves(found))
    assert global_norm(zeros) == 0


def test_what_is_not_finite_stays_so():
    for junk in (np.inf, np.nan):
        found = clipped([jnp.array([1.0, junk]), jnp.array([2.0])], 1.0)
        assert not np.isfinite(found[0][1])
        assert not np.isfinite(global_norm([jnp.array([1.0, junk])]))


@pytest.mark.parametrize(
    ("tree", "norm"),
    [
        ([jnp.array([3e30, 4e30], jnp.float32)], 5e30),
        ([jnp.array([3e38, 3e38], jnp.float32)], np.inf),
        ([jnp.array([3e-30], jnp.float32), jnp.array([4e-30], jnp.float32)], 5e-30),
        ([jnp.array([3e4], jnp.float16), jnp.array([4e4], jnp.float16)], 5e4),
        ([jnp.zeros((0, 3), jnp.float32), jnp.array([2.0], jnp.float32)], 2.0),
        ([jnp.zeros((0, 3), jnp.float32)], 0.0),
        ([], 0.0),
    ],
)
def test_global_norms(tree, norm):
    np.testing.assert_allclose(global_norm(tree), norm, 1e-3)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((0.0,), {}, "`limit` must be positive and finite, got 0.0"),
        ((-1.0,), {}, "`limit` must be positive and finite, got -1.0"),
        ((math.nan,), {}, "`limit` must be positive and finite, got nan"),
        ((math.inf,), {}, "`limit` must be positive and finite, got inf"),
        (
            (1.0,),
            {"by": "layer"},
            "`by` must be one of 'norm', 'block', 'leaf', 'value', got 'layer'",
        ),
    ],
)
def test_bad_arguments(arguments, options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        clip(*arguments, **options)
