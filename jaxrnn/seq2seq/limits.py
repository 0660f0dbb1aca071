"""How much is written, and which symbol ends it."""

from typing import Any

import jax.numpy as jnp

from jaxrnn.typing import Array


def check_limits(steps: int, end: int, min_steps: int) -> None:
    """Raise unless these are whole numbers, and `min_steps` at most `steps`."""
    at_least_0(steps=steps, end=end, min_steps=min_steps)
    if min_steps > steps:
        raise ValueError(
            f"`min_steps` must be at most `steps`, {steps}, got {min_steps}"
        )


def at_least_0(**numbers: Any) -> None:
    """Raise unless every named value is an integer of at least 0."""
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"`{name}` must be an integer, got {value!r}")
        if value < 0:
            raise ValueError(f"`{name}` must be at least 0, got {value}")


def check_vocabulary(log_probs: Any, end: int) -> None:
    """Raise unless the end is one of the symbols `[..., V]`."""
    size = log_probs.shape[-1]
    if end >= size:
        raise ValueError(
            f"`end` must be a symbol of the vocabulary, in [0, {size}), got {end}"
        )


def not_before(min_steps: int, end: int, t: Array, size: int) -> Array:
    """Which of `size` symbols may come at step t: the end not before `min_steps`.

    Returns:
      Boolean `[V]`.
    """
    return (t + 1 >= min_steps) | (jnp.arange(size) != end)
