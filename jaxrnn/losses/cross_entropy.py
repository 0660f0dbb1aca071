"""How surprising the true class was."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn import checks
from jaxrnn.product import gate_dtype
from jaxrnn.typing import Array


def cross_entropy(logits: Array, labels: Array) -> Array:
    """The loss of each step, in nats; divided by ln 2, in bits.

    ::

      loss = -log softmax(logits)[label] = log sum_v exp(logits[v]) - logits[label]

    Args:
      logits: `[..., V]`, floating: log probabilities of V classes, not normalised.
      labels: `[...]`, integers in [0, V), at padded steps as well. One outside is an
        error; where values cannot be looked at (under jit) its loss is log V, that of
        a blind guess, and its gradient zero.

    Returns:
      `[...]`, float32 whatever the dtype of `logits` (float64 for float64).

    Raises:
      TypeError: if `logits` are not floating or `labels` not integers.
      ValueError: if the shapes do not fit, or a label lies outside [0, V).

    Example:
      >>> cross_entropy(jnp.zeros((2, 4)), jnp.array([0, 3]))  # log 4
      Array([1.3862944, 1.3862944], dtype=float32)
    """
    logits, is_label = _checked(logits, labels)
    largest = jax.lax.stop_gradient(jnp.max(logits, axis=-1, keepdims=True))
    total = jnp.sum(jnp.exp(logits - largest), axis=-1)
    picked = jnp.sum(logits, axis=-1, where=is_label)
    # Not (log total + largest) - picked: beside large logits a small loss would vanish.
    loss = jnp.log(total) + (largest[..., 0] - picked)
    guess = jnp.log(jnp.asarray(logits.shape[-1], loss.dtype))
    return jnp.where(jnp.any(is_label, axis=-1), loss, guess)


def _checked(logits: Array, labels: Array) -> tuple[Array, Array]:
    """Logits as they are computed with, and `[..., V]` True where the label is."""
    logits = jnp.asarray(logits)
    if not jnp.issubdtype(logits.dtype, jnp.floating):
        raise TypeError(f"`logits` must be floating, got {logits.dtype}")
    if logits.ndim == 0 or logits.shape[-1] == 0:
        raise ValueError(
            f"`logits` must have shape [..., V], V at least 1, got {logits.shape}"
        )
    labels, classes = _checked_labels(labels, logits.shape[-1])
    if labels.shape != logits.shape[:-1]:
        raise ValueError(
            "`labels` must have the shape of `logits` without its last axis, "
            f"{logits.shape[:-1]}, got {labels.shape}"
        )
    return logits.astype(gate_dtype(logits.dtype)), labels[..., None] == classes


def _checked_labels(labels: Any, size: int) -> tuple[Array, Array]:
    """Labels, and the classes `[V]` in a dtype that holds both."""
    known = checks.concrete(labels)
    labels = np.asarray(labels) if known else labels
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"`labels` must be integers, got {labels.dtype}")
    if known and np.any((labels < 0) | (labels >= size)):
        raise ValueError(
            f"`labels` must lie in [0, V) = [0, {size}), got values from "
            f"{labels.min()} to {labels.max()}"
        )
    dtype = jnp.int32 if known or labels.dtype.itemsize < 4 else labels.dtype
    return jnp.asarray(labels, dtype), jnp.arange(size, dtype=dtype)
