"""What decoding notes down step by step, and how rows of it are picked out."""

import jax
import jax.numpy as jnp

from jaxrnn.typing import Array, PyTree


def blank(steps: int, page: PyTree) -> PyTree:
    """Room for a page a step, all zeros."""
    return jax.tree.map(lambda a: jnp.zeros((steps, *a.shape), a.dtype), page)


def noted(pages: PyTree, t: Array, page: PyTree) -> PyTree:
    """The pages, with that of step t filled in."""
    put = lambda all, own: jax.lax.dynamic_update_index_in_dim(all, own, t, 0)
    return jax.tree.map(put, pages, page)


def cleared(where: Array, tree: PyTree) -> PyTree:
    """The tree with zeros where `where`, `[*leading]`, holds.

    Args:
      where: boolean `[*leading]`.
      tree: of arrays `[*leading, ...]`.
    """
    zero = lambda a: jnp.where(_like(where, a), jnp.zeros((), a.dtype), a)
    return jax.tree.map(zero, tree)


def followed(tree: PyTree, parents: Array) -> PyTree:
    """What belongs to the slots that others go on from.

    Args:
      tree: of arrays `[K, *batch, ...]`.
      parents: `[N, *batch]`, slots in [0, K).

    Returns:
      Arrays `[N, *batch, ...]`: `leaf[parents[n, b], b]`.
    """
    pick = lambda a: jnp.take_along_axis(
        a, _like(parents, a), axis=0, mode="promise_in_bounds"
    )
    return jax.tree.map(pick, tree)


def picked(tree: PyTree, at: Array) -> PyTree:
    """What stands in places of the last axis, which are known to be there.

    Args:
      tree: of arrays `[..., N]`.
      at: `[..., M]`, in [0, N).

    Returns:
      Arrays `[..., M]`.
    """
    pick = lambda a: jnp.take_along_axis(a, at, axis=-1, mode="promise_in_bounds")
    return jax.tree.map(pick, tree)


def _like(rows: Array, leaf: Array) -> Array:
    """With an axis of size 1 for every further one of the leaf."""
    return rows.reshape(*rows.shape, *(1,) * (leaf.ndim - rows.ndim))
