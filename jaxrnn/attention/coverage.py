"""What it costs to look twice at the same place."""

import jax.numpy as jnp

from jaxrnn.losses.reduce import reduce
from jaxrnn.product import gate_dtype
from jaxrnn.typing import Array
from jaxrnn.unroll.masks import check_flags, zero_padding


def coverage_loss(
    alignments: Array, mask: Array | None = None, *, reduction: str = "sum"
) -> Array:
    """The weight that falls on what has been read already.

    ::

      c_t = sum of a_u over steps u < t
      loss_t = sum_s min(a_t[s], c_t[s])

    Times a factor it is added to a loss, and needs no coverage in the attention.

    Args:
      alignments: `[T, *batch, S]`, as `unroll` collects them.
      mask: `[T, *batch]`, boolean, True = real; None: all steps are.
      reduction: of the steps, "sum", "mean", "row mean" or "none", as for `reduce`.

    Returns:
      A scalar, or `[T, *batch]` for "none".

    Raises:
      TypeError, ValueError: for another dtype or shape.

    References:
      See, Liu, Manning 2017, equations 10, 12 and 13.

    Example:
      >>> alignments = jnp.array([[1.0, 0.0], [0.75, 0.25], [0.0, 1.0]])  # [T, S]
      >>> float(coverage_loss(alignments))  # 0.75 again, then 0.25 again
      1.0
    """
    alignments = jnp.asarray(alignments)
    if not jnp.issubdtype(alignments.dtype, jnp.floating):
        raise TypeError(f"`alignments` must be floating, got {alignments.dtype}")
    if alignments.ndim < 2:
        raise ValueError(
            f"`alignments` must have shape [T, *batch, S], got {alignments.shape}"
        )
    if mask is not None:
        mask = check_flags("mask", mask, alignments.shape[:-1])
        alignments = zero_padding(mask, alignments)
    alignments = alignments.astype(gate_dtype(alignments.dtype))
    covered = jnp.cumsum(alignments, axis=0) - alignments
    losses = jnp.minimum(alignments, covered).sum(axis=-1)
    return reduce(losses, mask, reduction=reduction)
