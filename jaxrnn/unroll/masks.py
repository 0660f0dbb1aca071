"""Which steps are real, and what stands where they are not."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn import checks
from jaxrnn.typing import Array, PyTree, Shape


def spread(flags: Array, like: Array) -> Array:
    """Flags with axes of length 1 appended, so that they broadcast against `like`."""
    return flags.reshape(flags.shape + (1,) * (like.ndim - flags.ndim))


def select(flags: Array | None, where_true: PyTree, where_false: PyTree) -> PyTree:
    """`where(flags, where_true, where_false)` over trees; None means all true."""
    if flags is None:
        return where_true
    return jax.tree.map(
        lambda a, b: jnp.where(spread(flags, a), a, b), where_true, where_false
    )


def zero_padding(mask: Array | None, xs: PyTree) -> PyTree:
    """Zeros, whatever stood there, where the mask is False."""
    if mask is None:
        return xs
    return jax.tree.map(
        lambda a: jnp.where(spread(mask, a), a, jnp.zeros((), a.dtype)), xs
    )


def mask_from_lengths(lengths: Array, steps: int, batch_shape: Shape) -> Array:
    """`[T, *batch]`, True at each row's first `lengths` steps.

    Args:
      lengths: `[*batch]`, integers in [0, T]. Values outside are an error; where they
        cannot be looked at (under jit) they are clipped.
      steps: T.
      batch_shape: of the inputs.

    Raises:
      TypeError: if `lengths` are not integers.
      ValueError: for another shape, or values outside [0, T].
    """
    lengths = jnp.asarray(lengths)
    if not jnp.issubdtype(lengths.dtype, jnp.integer):
        raise TypeError(f"`lengths` must be integers, got {lengths.dtype}")
    if lengths.shape != batch_shape:
        raise ValueError(
            f"`lengths` must have the batch's shape {batch_shape}, got {lengths.shape}"
        )
    if checks.concrete(lengths) and lengths.size:
        smallest, largest = np.asarray(lengths).min(), np.asarray(lengths).max()
        if smallest < 0 or largest > steps:
            wrong = smallest if smallest < 0 else largest
            raise ValueError(
                f"`lengths` must lie in [0, T] = [0, {steps}], got {wrong}"
            )
    step = jnp.arange(steps, dtype=jnp.int32).reshape(-1, *(1,) * lengths.ndim)
    return step < lengths.astype(jnp.int32)


def check_flags(name: str, flags: Array, shape: Shape) -> Array:
    """Boolean flags of every step of every row, or an error that names the argument."""
    flags = jnp.asarray(flags)
    if flags.dtype != bool:
        raise TypeError(f"`{name}` must be boolean, got {flags.dtype}")
    if flags.shape != shape:
        raise ValueError(
            f"`{name}` must have shape (T, *batch) = {shape}, got {flags.shape}"
        )
    return flags
