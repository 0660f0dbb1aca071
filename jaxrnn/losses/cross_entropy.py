"""How surprising the true class was."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn import checks
from jaxrnn.product import gate_dtype
from jaxrnn.typing import Array, Shape


def cross_entropy(logits: Array, labels: Array, *, smoothing: float = 0.0) -> Array:
    """The loss of each step, in nats; divided by ln 2, in bits.

    ::

      q[v] = 1 if v == label else 0                      # or what `labels` holds
      q[v] = (1 - smoothing) * q[v] + smoothing / V
      loss = -sum_v q[v] log softmax(logits)[v]
           = log sum_v exp(logits[v]) - logits[label]    # integers, not smoothed

    Args:
      logits: `[..., V]`, floating: log probabilities of V classes, not normalised.
      labels: `[...]`, integers in [0, V), at padded steps as well. One outside is an
        error; where values cannot be looked at (under jit) its loss is log V, that of
        a blind guess, and its gradient zero. Or `[..., V]`, floating: weights of the
        classes, at least 0, such as another model's probabilities; where all are zero,
        as in padding, the loss is zero too.
      smoothing: in [0, 1]: the part of a label that all classes share.

    Returns:
      `[...]`, float32 whatever the dtype of `logits` (float64 for float64).

    Raises:
      TypeError: if `logits` are not floating or `labels` neither integers nor floating.
      ValueError: if the shapes do not fit, a label lies outside [0, V), a weight is
        negative, or `smoothing` is outside [0, 1].

    References:
      Szegedy et al. 2016, section 7 (smoothing); Hinton, Vinyals, Dean 2015 (labels
      that another model gives).

    Example:
      >>> cross_entropy(jnp.zeros((2, 4)), jnp.array([0, 3]))  # log 4
      Array([1.3862944, 1.3862944], dtype=float32)
      >>> cross_entropy(jnp.array([2.0, 0.0]), jnp.array([0.5, 0.5]))
      Array(1.126928, dtype=float32)
    """
    checks.probability(smoothing=smoothing)
    logits, labels = _checked(logits, labels)
    hard = labels.dtype == bool
    largest = jax.lax.stop_gradient(jnp.max(logits, axis=-1, keepdims=True))
    log_total = jnp.log(jnp.sum(jnp.exp(logits - largest), axis=-1))
    # Not (log total + largest) - picked: beside large logits a small loss would vanish.
    if hard and not smoothing:
        picked = jnp.sum(logits, axis=-1, where=labels)
        loss = log_total + (largest[..., 0] - picked)
    else:
        weights = labels.astype(logits.dtype)
        shared = jnp.mean(weights, axis=-1, keepdims=True)
        weights = (1 - smoothing) * weights + smoothing * shared
        surprise = log_total[..., None] + (largest - logits)
        loss = jnp.sum(weights * surprise, axis=-1, where=weights > 0)
    if not hard:
        return loss
    guess = jnp.log(jnp.asarray(logits.shape[-1], loss.dtype))
    return jnp.where(jnp.any(labels, axis=-1), loss, guess)


def _checked(logits: Array, labels: Any) -> tuple[Array, Array]:
    """Logits as they are computed with, and of every class `[..., V]` whether it is
    the label, or its weight."""
    logits = jnp.asarray(logits)
    if not jnp.issubdtype(logits.dtype, jnp.floating):
        raise TypeError(f"`logits` must be floating, got {logits.dtype}")
    if logits.ndim == 0 or logits.shape[-1] == 0:
        raise ValueError(
            f"`logits` must have shape [..., V], V at least 1, got {logits.shape}"
        )
    logits = logits.astype(gate_dtype(logits.dtype))
    labels = np.asarray(labels) if checks.concrete(labels) else labels
    if jnp.issubdtype(labels.dtype, jnp.floating):
        return logits, _checked_weights(labels, logits.shape)
    labels, classes = _checked_labels(labels, logits.shape[-1])
    if labels.shape != logits.shape[:-1]:
        raise ValueError(
            "`labels` must have the shape of `logits` without its last axis, "
            f"{logits.shape[:-1]}, got {labels.shape}"
        )
    return logits, labels[..., None] == classes


def _checked_labels(labels: Any, size: int) -> tuple[Array, Array]:
    """Labels, and the classes `[V]` in a dtype that holds both."""
    known = checks.concrete(labels)
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"`labels` must be integers or floating, got {labels.dtype}")
    if known and np.any((labels < 0) | (labels >= size)):
        raise ValueError(
            f"`labels` must lie in [0, V) = [0, {size}), got values from "
            f"{labels.min()} to {labels.max()}"
        )
    dtype = jnp.int32 if known or labels.dtype.itemsize < 4 else labels.dtype
    return jnp.asarray(labels, dtype), jnp.arange(size, dtype=dtype)


def _checked_weights(weights: Any, shape: Shape) -> Array:
    if weights.shape != shape:
        raise ValueError(
            f"floating `labels` must have the shape of `logits`, {shape}, one weight "
            f"a class, got {weights.shape}"
        )
    if checks.concrete(weights) and not np.all(weights >= 0):
        raise ValueError(f"floating `labels` must be at least 0, got {weights.min()}")
    return jnp.asarray(weights)
