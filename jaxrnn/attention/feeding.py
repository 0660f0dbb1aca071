"""Inputs that are fed back, beside those that are known before the loop.

Where a cell reads its input through one matrix, [x; f] K = x K_x + f K_f: the product
with x needs no carry, so it is made for all steps at once, and only the rows of K that
meet what is fed back, f, enter the loop.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cell import Cell
from jaxrnn.product import matmul
from jaxrnn.typing import Array, PyTree


def divided(cell: Cell, ready: PyTree, size: int) -> tuple[PyTree, Array | None]:
    """What `prepare` returned for inputs [x; f], for x alone, and the rows K_f.

    Args:
      cell: any cell.
      ready: what its `prepare` returned.
      size: of f, the last features of the input.

    Returns:
      Both parts; `ready` as it is and None where the cell does not say which matrix
      reads its input (`Cell.input_kernel`).
    """
    place = cell.input_kernel
    if place is None:
        return ready, None
    kernel = ready
    for name in place:
        kernel = kernel[name]
    return _replaced(ready, place, kernel[:-size]), kernel[-size:]


def added(z: PyTree, fed: Array, kernel: Array) -> PyTree:
    """What `project` made of x, made of [x; f].

    Args:
      z: what `project` returned for x.
      fed: f `[*batch, size]`.
      kernel: the rows K_f.
    """
    leaves, tree = jax.tree.flatten(z)
    moving = [i for i, a in enumerate(leaves) if jnp.issubdtype(a.dtype, jnp.floating)]
    ends = [
        sum(leaves[j].shape[-1] for j in moving[: n + 1]) for n in range(len(moving))
    ]
    parts = jnp.split(matmul(fed, kernel), ends[:-1], axis=-1)
    for i, part in zip(moving, parts, strict=True):
        leaves[i] = leaves[i] + part
    return jax.tree.unflatten(tree, leaves)


def _replaced(tree: PyTree, place: tuple[Any, ...], value: Any) -> PyTree:
    """The tree of dicts and tuples with another value at a place."""
    if not place:
        return value
    first, *rest = place
    inside = _replaced(tree[first], tuple(rest), value)
    if isinstance(tree, dict):
        return tree | {first: inside}
    return (*tree[:first], inside, *tree[first + 1 :])
