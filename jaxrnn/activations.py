"""Activation functions by name."""

from collections.abc import Callable

import jax

from jaxrnn.typing import Array

Activation = str | Callable[[Array], Array]


def activation(name: Activation) -> Callable[[Array], Array]:
    """The function of that name: "tanh", "identity" or any of `jax.nn`; or itself.

    Args:
      name: a name, or a function at the top level of a module.

    Raises:
      ValueError: for a name that nobody has.

    Example:
      >>> float(activation("relu")(-2.0))
      0.0
    """
    if callable(name):
        return name
    function = getattr(jax.nn, name, None) if name.isidentifier() else None
    if not callable(function):
        raise ValueError(
            "`activation` must be a function or a name such as 'tanh', 'relu', "
            f"'sigmoid', 'identity', got {name!r}"
        )
    return function
