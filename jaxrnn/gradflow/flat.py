"""The state of each row as one vector."""

import math

import jax.numpy as jnp

from jaxrnn.typing import Array


def flat(leaves: list[Array], batch: int) -> Array:
    """Leaves `[*batch, ...]` side by side: `[rows, n]`.

    Args:
      leaves: of a carry.
      batch: the number of batch axes.

    Example:
      >>> flat([jnp.zeros((2, 3)), jnp.ones((2, 1))], 1).tolist()
      [[0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]]
    """
    rows = math.prod(leaves[0].shape[:batch])
    width = lambda a: math.prod(a.shape[batch:])
    return jnp.concatenate([a.reshape(rows, width(a)) for a in leaves], axis=-1)


def apart(state: Array, like: list[Array], batch: int) -> list[Array]:
    """The leaves that `flat` put together.

    Args:
      state: `[rows, n]`.
      like: leaves of the same shapes.
      batch: the number of batch axes.
    """
    parts, place = [], 0
    for leaf in like:
        width = math.prod(leaf.shape[batch:])
        parts.append(state[:, place : place + width].reshape(leaf.shape))
        place += width
    return parts
