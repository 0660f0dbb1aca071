"""What dropout is made of: which elements are kept, and what becomes of the others."""

import jax
import jax.numpy as jnp

from jaxrnn.typing import Array, Key, Shape


def keep(key: Key, rate: float, shape: Shape) -> Array:
    """True with probability 1 - rate, for each element on its own.

    Example:
      >>> bool(keep(jax.random.key(0), 1.0, (2, 3)).any())
      False
    """
    return jax.random.bernoulli(key, 1.0 - rate, shape)


def drop(x: Array, kept: Array, rate: float) -> Array:
    """Zero where not kept; the rest is divided by 1 - rate, so that the mean stays.

    Args:
      x: floating.
      kept: boolean, broadcasts against the last axes of `x`.
      rate: in [0, 1], the one that `kept` was drawn with.

    Example:
      >>> drop(jnp.ones(2), jnp.array([True, False]), 0.5).tolist()
      [2.0, 0.0]
    """
    if rate == 1:  # nothing is kept, and the quotient would not be finite
        return jnp.zeros_like(x)
    return jnp.where(kept, x / (1 - rate), 0)
