"""The loss of outputs that are there already."""

import jax
import jax.numpy as jnp

from jaxrnn.losses import reduce
from jaxrnn.training.loss import Loss, step_losses
from jaxrnn.typing import Array, PyTree
from jaxrnn.unroll.masks import check_flags, mask_from_lengths, zero_padding


def sequence_loss(
    loss: Loss,
    ys: PyTree,
    targets: PyTree,
    *,
    lengths: Array | None = None,
    mask: Array | None = None,
    reduction: str = "mean",
) -> Array:
    """The losses of real steps, summed or averaged; `unroll_loss` without the `unroll`.

    ::

      value = sum(loss(ys[t], targets[t]) for real steps t)    # / their number: "mean"

    What outputs and targets hold at padded steps, NaN included, reaches neither the
    value nor its gradient; if no step is real, both are zero.

    Args:
      loss: `(y, target) -> [T, *batch]`, such as `cross_entropy`, or one of your own.
      ys: outputs, a tree of arrays `[T, *batch, ...]`.
      targets: a tree of arrays `[T, *batch, ...]`.
      lengths: `[*batch]`, integers in [0, T]: the real steps of each row.
      mask: `[T, *batch]`, boolean, True = real, instead of `lengths`.
      reduction: "mean" over real steps, "sum", "row mean" or "none"; see `reduce`.

    Returns:
      A scalar, or `[T, *batch]` for "none".

    Raises:
      ValueError, TypeError: for arguments that do not fit, by name.

    Example:
      >>> import jax.numpy as jnp, jaxrnn as jr
      >>> ys = jnp.array([[1.0], [2.0], [jnp.nan]])  # [T, n], without a batch axis
      >>> float(sequence_loss(jr.squared_error, ys, jnp.zeros((3, 1)), lengths=2))
      2.5
    """
    if lengths is not None and mask is not None:
        raise ValueError("give `lengths` or `mask`, not both")
    if lengths is not None:
        lengths, steps = jnp.asarray(lengths), len(jax.tree.leaves(ys)[0])
        mask = mask_from_lengths(lengths, steps, lengths.shape)
    if mask is None:
        return reduce(loss(ys, targets), reduction=reduction)
    mask = check_flags("mask", mask, jnp.shape(mask))
    for name, tree in (("ys", ys), ("targets", targets)):
        for leaf in jax.tree.leaves(tree):
            if leaf.shape[: mask.ndim] != mask.shape:
                raise ValueError(
                    f"`{name}` must start with the axes (T, *batch) = {mask.shape} of "
                    f"`lengths` or `mask`, got shape {leaf.shape}"
                )
    ys, targets = zero_padding(mask, jax.tree.map(jnp.asarray, (ys, targets)))
    values = step_losses(loss, ys, targets, mask.shape)
    return reduce(values, mask, reduction=reduction)
