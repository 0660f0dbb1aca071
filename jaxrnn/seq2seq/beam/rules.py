"""Which symbols a hypothesis may go on with."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn import checks
from jaxrnn.checks import kind
from jaxrnn.typing import Array, Shape


def repeating(history: Array, t: Array, n: int, size: int) -> Array:
    """Which symbols would complete a run of n that a hypothesis has already.

    Args:
      history: `[..., T]`, its symbols, the first t of which are written.
      t: how many.
      n: the length of a run.
      size: V, the number of symbols.

    Returns:
      Boolean `[..., V]`.
    """
    starts = max(history.shape[-1] - n + 1, 0)
    same = jnp.arange(starts, dtype=jnp.int32) + n <= t
    for place in range(n - 1):
        last = jax.lax.dynamic_index_in_dim(history, t - n + 1 + place, axis=-1)
        same = same & (history[..., place : place + starts] == last)
    completed = history[..., n - 1 :, None] == jnp.arange(size, dtype=history.dtype)
    return jnp.any(same[..., None] & completed, axis=-2)


def prefixed(allowed: Array, symbol: Array) -> Array:
    """What is allowed where no symbol is given; where one is, that symbol alone.

    Args:
      allowed: boolean `[V]` or `[..., V]`.
      symbol: `[...]`, -1 where none is given.
    """
    given = symbol[..., None]
    alone = jnp.arange(allowed.shape[-1], dtype=symbol.dtype) == given
    return jnp.where(given < 0, allowed, alone)


def full_prefix(prefix: Any, steps: int, batch_shape: Shape) -> Array | None:
    """The prefix with -1, "free", at all later steps: `[steps, *batch]`, int32."""
    if prefix is None:
        return None
    prefix = jnp.asarray(prefix)
    if not jnp.issubdtype(prefix.dtype, jnp.integer):
        raise TypeError(f"`prefix` must be integers, got {kind(prefix)}")
    if prefix.ndim == 0 or prefix.shape[1:] != batch_shape or len(prefix) > steps:
        raise ValueError(
            f"`prefix` must have shape (T, *batch), T at most {steps} and *batch = "
            f"{batch_shape}, got {prefix.shape}"
        )
    if checks.concrete(prefix) and prefix.size and np.min(prefix) < -1:
        raise ValueError(
            f"`prefix` must be symbols, or -1 where free, got {np.min(prefix)}"
        )
    later = ((0, steps - len(prefix)), *((0, 0),) * len(batch_shape))
    return jnp.pad(prefix.astype(jnp.int32), later, constant_values=-1)
