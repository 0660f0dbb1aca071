"""How far weights move, and what a clip leaves of gradients."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrnn.gradflow import clip_factors, update_ratios
from jaxrnn.training import clip

GRADIENT = {
    "a": {"x": jnp.array([3.0, 0.0]), "y": jnp.array([2.0])},
    "b": jnp.array([[4.0]]),
}


def test_ratios():
    params = {"a": jnp.array([1e30, 0.0]), "b": jnp.zeros((1, 1)), "c": jnp.zeros(2)}
    updates = {"a": jnp.array([0.0, 1e27]), "b": jnp.ones((1, 1)), "c": jnp.zeros(2)}
    found = update_ratios(params, updates)
    np.testing.assert_allclose([found["a"], found["b"], found["c"]], [1e-3, np.inf, 0])


@pytest.mark.parametrize("by", ["norm", "block", "leaf"])
@pytest.mark.parametrize("limit", [3.5, 10.0])
def test_factors_are_those_of_the_clip(by, limit):
    transform = clip(limit, by=by)
    clipped, _ = transform.update(GRADIENT, transform.init(GRADIENT))
    factors = clip_factors(GRADIENT, limit, by=by)
    for g, c, factor in zip(
        *map(jax.tree.leaves, (GRADIENT, clipped, factors)), strict=True
    ):
        np.testing.assert_allclose(g * factor, c)


def test_of_values_it_is_the_part_that_is_left():
    found = clip_factors(GRADIENT, 3.5, by="value")
    assert (float(found["a"]["x"]), float(found["b"])) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 0.0}, "`limit` must be positive, got 0.0"),
        ({"limit": 1.0, "by": "row"}, "`by` must be one of 'norm', 'block', 'leaf'"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        clip_factors(GRADIENT, **options)
