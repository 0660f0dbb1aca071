"""The state of each row as one vector of real numbers."""

import math

import jax
import jax.numpy as jnp

from jaxrnn.typing import Array


def flat(leaves: list[Array], batch: int) -> Array:
    """Leaves `[*batch, ...]` side by side: `[rows, n]`.

    A complex number is two: its real and its imaginary part.

    Args:
      leaves: of a carry.
      batch: the number of batch axes.

    Example:
      >>> flat([jnp.zeros((2, 3)), jnp.ones((2, 1))], 1).tolist()
      [[0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]]
    """
    rows = math.prod(leaves[0].shape[:batch])
    flat_rows = lambda a: a.reshape(rows, math.prod(a.shape[batch:]))
    return jnp.concatenate(
        [flat_rows(part) for leaf in leaves for part in _real_parts(leaf)], axis=-1
    )


def apart(state: Array, like: list[Array], batch: int) -> list[Array]:
    """The leaves that `flat` put together.

    Args:
      state: `[rows, n]`.
      like: leaves of the same shapes.
      batch: the number of batch axes.
    """
    parts, place = [], 0
    for leaf in like:
        width, of_leaf = math.prod(leaf.shape[batch:]), []
        for _ in _real_parts(leaf):
            part = state[:, place : place + width]
            of_leaf.append(part.reshape(leaf.shape))
            place += width
        parts.append(jax.lax.complex(*of_leaf) if len(of_leaf) == 2 else of_leaf[0])
    return parts


def _real_parts(leaf: Array) -> list[Array]:
    return [leaf.real, leaf.imag] if jnp.iscomplexobj(leaf) else [leaf]
