"""What the states of a network cost, whatever its outputs."""

import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.losses.reduce import reduce
from jaxrnn.product import gate_dtype
from jaxrnn.typing import Array


def activation_penalty(states: Array, mask: Array | None = None) -> Array:
    """Activation regularisation, AR: large states cost.

    ::

      mean of states[t, b, i]^2 over real t, b and all i

    Times a factor it is added to a loss. Merity takes the outputs of the last layer,
    after dropout.

    Args:
      states: `[T, *batch, n]`, floating.
      mask: `[T, *batch]`, boolean, True = real; None: all are.

    Returns:
      A scalar; 0 if no step is real.

    Raises:
      TypeError, ValueError: for another dtype or shape.

    References:
      Merity, McCann, Socher 2017, Revisiting Activation Regularization for Language
      RNNs.

    Example:
      >>> float(activation_penalty(jnp.array([[1.0, 3.0], [0.0, 0.0]])))
      2.5
    """
    states, mask = _checked(states, mask)
    return _mean_square(states, mask)


def temporal_penalty(states: Array, mask: Array | None = None) -> Array:
    """Temporal activation regularisation, TAR: states that change cost.

    ::

      mean of (states[t, b, i] - states[t - 1, b, i])^2 over neighbours both real

    Args:
      states: `[T, *batch, n]`, floating: Merity takes those of the last layer, before
        dropout.
      mask: `[T, *batch]`, boolean, True = real; None: all are.

    Returns:
      A scalar; 0 if no two neighbours are real.

    Raises:
      TypeError, ValueError: for another dtype or shape.

    References:
      Merity, McCann, Socher 2017, Revisiting Activation Regularization for Language
      RNNs.

    Example:
      >>> float(temporal_penalty(jnp.array([[1.0], [3.0], [3.0]])))
      2.0
    """
    states, mask = _checked(states, mask)
    return _mean_square(states[1:] - states[:-1], mask[1:] & mask[:-1])


def _checked(states: Array, mask: Array | None) -> tuple[Array, Array]:
    states = jnp.asarray(states)
    if not jnp.issubdtype(states.dtype, jnp.floating):
        raise TypeError(f"`states` must be floating, got {states.dtype}")
    if states.ndim < 2:
        raise ValueError(f"`states` must have shape [T, *batch, n], got {states.shape}")
    mask = jnp.ones(states.shape[:-1], bool) if mask is None else jnp.asarray(mask)
    if mask.dtype != bool or mask.shape != states.shape[:-1]:
        raise ValueError(
            f"`mask` must be boolean of shape [T, *batch] = {states.shape[:-1]}, "
            f"got {checks.kind(mask)}"
        )
    return states.astype(gate_dtype(states.dtype)), mask


def _mean_square(vectors: Array, mask: Array) -> Array:
    # Zeros in place of junk before the square: after it, 0 * NaN is NaN in gradients.
    vectors = jnp.where(mask[..., None], vectors, 0)
    return reduce(jnp.mean(vectors**2, axis=-1), mask)
