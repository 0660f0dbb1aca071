"""Many to one: the outputs of a sequence as one vector."""

import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.product import gate_dtype
from jaxrnn.typing import Array
from jaxrnn.unroll.arrange import time_first
from jaxrnn.unroll.masks import check_flags, mask_from_lengths


def pool(
    ys: Array,
    how: str = "last",
    *,
    lengths: Array | None = None,
    mask: Array | None = None,
    time_axis: int = 0,
) -> Array:
    """The last real output of each row, the mean of the real ones, or their maximum.

    ::

      "last": ys[t] of the last real t
      "mean": sum(ys[t] for real t) / number of real t
      "max":  max(ys[t] for real t), each feature on its own

    What stands at padded steps, NaN included, reaches neither values nor gradients. A
    row without a real step gives zeros.

    Args:
      ys: `[T, *batch, n]`, floating: the outputs of `unroll`.
      how: "last", "mean" or "max".
      lengths: `[*batch]`, integers in [0, T]: the real steps of each row.
      mask: `[T, *batch]`, boolean, True = real, instead of `lengths`.
      time_axis: 0 for time-major, 1 for batch-major `[B, T, n]`, `mask` too.

    Returns:
      `[*batch, n]`, in the dtype of `ys`.

    Raises:
      ValueError, TypeError: for arguments that do not fit, by name.

    References:
      Lectures 001 and 004 (many to one); 000 and 002 (the mean over a video).

    Example:
      >>> ys = jnp.array([[1.0, 5.0], [3.0, 2.0], [9.0, 9.0]])  # [T, n]
      >>> [pool(ys, how, lengths=2).tolist() for how in ("last", "mean", "max")]
      [[3.0, 2.0], [2.0, 3.5], [3.0, 5.0]]
    """
    checks.one_of(("last", "mean", "max"), how=how)
    checks.one_of((0, 1), time_axis=time_axis)
    ys = time_first(ys, time_axis)
    if not jnp.issubdtype(ys.dtype, jnp.floating):
        raise TypeError(f"`ys` must be floating, got {ys.dtype}")
    if ys.ndim < 2:
        raise ValueError(f"`ys` must have shape [T, *batch, n], got {ys.shape}")
    real = _real(ys, lengths, mask, time_axis)
    if how == "max":
        most = jnp.max(jnp.where(real, ys, -jnp.inf), axis=0, initial=-jnp.inf)
        return jnp.where(jnp.any(real, axis=0), most, 0)
    if how == "last":
        step = jnp.arange(len(ys)).reshape(-1, *(1,) * (real.ndim - 1))
        last = jnp.max(jnp.where(real, step, -1), axis=0, initial=-1)
        return jnp.sum(jnp.where(step == last, ys, 0), axis=0)
    wide = ys.astype(gate_dtype(ys.dtype))
    count = jnp.maximum(jnp.sum(real, axis=0), 1).astype(wide.dtype)
    return (jnp.sum(jnp.where(real, wide, 0), axis=0) / count).astype(ys.dtype)


def _real(
    ys: Array, lengths: Array | None, mask: Array | None, time_axis: int
) -> Array:
    """`[T, *batch, 1]`, True at real steps."""
    if lengths is not None and mask is not None:
        raise ValueError("give `lengths` or `mask`, not both")
    steps, *batch = ys.shape[:-1]
    if lengths is not None:
        real = mask_from_lengths(lengths, steps, tuple(batch))
    elif mask is not None:
        real = check_flags("mask", time_first(mask, time_axis), ys.shape[:-1])
    else:
        real = jnp.ones(ys.shape[:-1], bool)
    return real[..., None]
