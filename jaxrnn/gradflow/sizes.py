"""Norms that neither overflow nor underflow, and the names of what they are of."""

import math

import jax
import jax.numpy as jnp

from jaxrnn.typing import Array, PyTree
from jaxrnn.unroll.taken_apart import is_differentiable


def size(array: Array, leading: int = 0) -> Array:
    """The Euclidean norm over all axes but the first `leading`.

    Example:
      >>> size(jnp.array([[3e-30, 4e-30], [0.0, 0.0]]), 1).tolist()[1]
      0.0
    """
    shape = array.shape
    # An error signal that is zero for sure is a constant; XLA would spend seconds, and
    # warnings, on computing its norm while it compiles.
    array = jax.lax.optimization_barrier(array)
    flat = jnp.abs(array).reshape(*shape[:leading], math.prod(shape[leading:]))
    top = jnp.max(flat, axis=-1, initial=0)
    unit = jnp.where((top > 0) & jnp.isfinite(top), top, 1)
    return unit * jnp.sqrt(jnp.sum(jnp.square(flat / unit[..., None]), axis=-1))


def joint_size(arrays: list[Array], leading: int = 0) -> Array:
    """The norm of all the arrays together."""
    return size(jnp.stack([size(a, leading) for a in arrays], axis=-1), leading)


def labels(tree: PyTree, alone: str) -> list[str]:
    """The names of the floating leaves of a tree; `alone` is that of a single array.

    Example:
      >>> labels({"a": jnp.ones(1), "b": [jnp.ones(2), jnp.arange(3)]}, "x")
      ['a', 'b.0']
      >>> labels(jnp.ones(1), "x")
      ['x']
    """
    name = lambda path: jax.tree_util.keystr(path, simple=True, separator=".") or alone
    paths = jax.tree.leaves_with_path(tree)
    return [name(path) for path, leaf in paths if is_differentiable(leaf)]
