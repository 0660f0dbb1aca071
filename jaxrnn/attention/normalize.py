"""From scores to an alignment: weights of real positions that sum to one."""

import jax
import jax.numpy as jnp

from jaxrnn.typing import Array

# At least 1 below the best score, a position has no weight in a sparsemax.
_NEVER = -2.0


def softmax(scores: Array, real: Array | None = None) -> Array:
    """exp(e_s) / sum over real positions; zeros, and no gradient, where none is real.

    Args:
      scores: `[..., S]`; at positions that are not real they may hold anything.
      real: boolean, broadcast to `scores`; None: all are.

    Example:
      >>> real = jnp.array([[True, False, True], [False, False, False]])
      >>> softmax(jnp.array([[0.0, jnp.nan, 0.0], [1.0, 2.0, 3.0]]), real).tolist()
      [[0.5, 0.0, 0.5], [0.0, 0.0, 0.0]]
    """
    real = jnp.ones(scores.shape, bool) if real is None else real
    scores = jnp.where(real, scores - _largest(scores, real), 0)
    weights = jnp.where(real, jnp.exp(scores), 0)
    total = weights.sum(axis=-1, keepdims=True)
    return weights / jnp.where(total > 0, total, 1)


def sparsemax(scores: Array, real: Array | None = None) -> Array:
    """The nearest point to the scores whose weights are at least 0 and sum to one.

    ::

      p_s = max(e_s - tau, 0),  tau such that sum_s p_s = 1

    So positions that score far below the best one have no weight at all.

    Args:
      scores: `[..., S]`; at positions that are not real they may hold anything.
      real: boolean, broadcast to `scores`; None: all are. Where none is real, all
        weights are zero.

    References:
      Martins, Astudillo 2016, algorithm 1.

    Example:
      >>> sparsemax(jnp.array([1.0, 0.5, -1.0])).tolist()
      [0.75, 0.25, 0.0]
    """
    real = jnp.ones(scores.shape, bool) if real is None else real
    scores = jnp.where(real, scores - _largest(scores, real), _NEVER)
    support = _support(jax.lax.stop_gradient(scores)) & real
    # Within the support tau is a mean, so its gradient is exact without the sort's.
    count = jnp.maximum(support.sum(axis=-1, keepdims=True), 1).astype(scores.dtype)
    total = jnp.where(support, scores, 0).sum(axis=-1, keepdims=True)
    return jnp.where(support, scores - (total - 1) / count, 0)


NORMALIZERS = {"softmax": softmax, "sparsemax": sparsemax}


def _support(scores: Array) -> Array:
    """Which positions have a weight: scores above the threshold that the best set."""
    falling = -jnp.sort(-scores, axis=-1)
    rank = jnp.arange(1, scores.shape[-1] + 1, dtype=scores.dtype)
    within = 1 + rank * falling > jnp.cumsum(falling, axis=-1)
    total = jnp.where(within, falling, 0).sum(axis=-1, keepdims=True)
    count = jnp.maximum(within.sum(axis=-1, keepdims=True), 1).astype(scores.dtype)
    # Not the last of these itself: computed twice, it need not be equal to the bit.
    return scores > (total - 1) / count


def _largest(scores: Array, real: Array) -> Array:
    """The best score of a real position, 0 where there is none."""
    scores = jnp.where(real, jax.lax.stop_gradient(scores), -jnp.inf)
    best = scores.max(axis=-1, keepdims=True, initial=-jnp.inf)
    return jnp.where(jnp.isfinite(best), best, 0)
