"""Predicted and true classes, checked."""

import jax.numpy as jnp

from jaxrnn.typing import Array


def checked(
    predictions: Array, labels: Array, mask: Array | None
) -> tuple[Array, Array, Array]:
    """Both in one dtype that holds them, and which steps are real.

    Args:
      predictions: `[T, *batch]`, integers.
      labels: `[T, *batch]`, integers.
      mask: `[T, *batch]`, boolean, True = real; None: all are.

    Raises:
      TypeError: for another dtype.
      ValueError: for different shapes.
    """
    predictions, labels = jnp.asarray(predictions), jnp.asarray(labels)
    mask = jnp.ones(labels.shape, bool) if mask is None else jnp.asarray(mask)
    for name, array in (("predictions", predictions), ("labels", labels)):
        if not jnp.issubdtype(array.dtype, jnp.integer):
            raise TypeError(f"`{name}` must be integers, got {array.dtype}")
    if mask.dtype != bool:
        raise TypeError(f"`mask` must be boolean, got {mask.dtype}")
    if not predictions.shape == labels.shape == mask.shape:
        raise ValueError(
            "predictions, `labels` and `mask` must have one shape, got "
            f"{predictions.shape}, {labels.shape} and {mask.shape}"
        )
    return *in_one_dtype(predictions, labels), mask


def in_one_dtype(a: Array, b: Array) -> tuple[Array, Array]:
    """Integers of at least 32 bits, in which those of both can be compared."""
    widest = max((jnp.dtype(jnp.int32), a.dtype, b.dtype), key=lambda d: d.itemsize)
    return a.astype(widest), b.astype(widest)
