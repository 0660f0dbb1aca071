"""From the losses of steps to one number, whatever the loss."""

import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.product import gate_dtype
from jaxrnn.typing import Array


def reduce(
    values: Array, mask: Array | None = None, *, reduction: str = "mean"
) -> Array:
    """The sum or mean of the values of real steps.

    ::

      total = sum(values[t, b] for real t, b)
      mean = total / max(number of real t, b, 1)
      row mean = mean over rows b with real steps of (1 / T[b]) sum(values[t, b])

    In a mean each real step weighs the same, in a long sequence as in a short one; in a
    row mean each sequence does, and rows without a real step do not count. What stands
    at the others, NaN included, reaches neither the value nor its gradient; if none is
    real, both are zero. (Before the loss it still can, for 0 * NaN is NaN: so a loss
    needs finite inputs there, such as the zeros that `unroll` puts out.)

    Args:
      values: `[T, *batch]`, floating: what a loss gave for each step.
      mask: boolean, the shape of `values`, True = real; None: all are.
      reduction: "mean", "sum", "row mean", or "none": the values, zero where they are
        not real.

    Returns:
      A scalar, or `[T, *batch]` for "none"; float32 (float64 for float64).

    Raises:
      TypeError: if `values` are not floating or `mask` is not boolean.
      ValueError: for another shape of `mask`, or another reduction.

    Example:
      >>> squared = (jnp.array([1.0, 2.0, jnp.nan]) - jnp.zeros(3)) ** 2
      >>> float(reduce(squared, jnp.array([True, True, False])))
      2.5
    """
    checks.one_of(("mean", "sum", "row mean", "none"), reduction=reduction)
    values = jnp.asarray(values)
    if not jnp.issubdtype(values.dtype, jnp.floating):
        raise TypeError(f"`values` must be floating, got {values.dtype}")
    values = values.astype(gate_dtype(values.dtype))
    count = jnp.asarray(values.size)
    if mask is not None:
        mask = _checked_mask(jnp.asarray(mask), values)
        values, count = jnp.where(mask, values, 0), jnp.sum(mask)
    if reduction == "none":
        return values
    if reduction == "row mean":
        return _row_mean(values, mask)
    total = jnp.sum(values)
    if reduction == "sum":
        return total
    return total / jnp.maximum(count, 1).astype(total.dtype)


def _row_mean(values: Array, mask: Array | None) -> Array:
    if values.ndim == 0:
        raise ValueError("a row mean needs `values` with a time axis, got a scalar")
    mask = jnp.ones(values.shape, bool) if mask is None else mask
    counts = jnp.sum(mask, axis=0)
    means = jnp.sum(values, axis=0) / jnp.maximum(counts, 1).astype(values.dtype)
    rows = jnp.maximum(jnp.sum(counts > 0), 1)
    return jnp.sum(means) / rows.astype(values.dtype)


def _checked_mask(mask: Array, values: Array) -> Array:
    if mask.dtype != bool:
        raise TypeError(f"`mask` must be boolean, got {mask.dtype}")
    if mask.shape != values.shape:
        raise ValueError(
            f"`mask` must have the shape of `values`, {values.shape}, one value a "
            f"step, got {mask.shape}"
        )
    return mask
