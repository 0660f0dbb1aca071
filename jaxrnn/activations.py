"""Activation functions, by name or with parameters of their own."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxrnn.spec import Spec
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


class Affine(Spec):
    """alpha x + beta.

    Example:
      >>> Affine(2.0, 1.0)(3.0)
      7.0
    """

    alpha: float
    beta: float

    def __call__(self, x: Array) -> Array:
        return self.alpha * x + self.beta


class ScaledTanh(Spec):
    """alpha tanh(beta x); 1.7159 tanh(2/3 x) is LeCun's (LeCun et al. 1998).

    Example:
      >>> float(ScaledTanh(3.0, 1.0)(0.0))
      0.0
    """

    alpha: float
    beta: float

    def __call__(self, x: Array) -> Array:
        return self.alpha * jnp.tanh(self.beta * x)


class HardSigmoid(Spec):
    """The line alpha x + beta, between 0 and 1.

    Example:
      >>> HardSigmoid()(jnp.array([-9.0, 0.0, 9.0])).tolist()
      [0.0, 0.5, 1.0]
    """

    alpha: float = 0.2
    beta: float = 0.5

    def __call__(self, x: Array) -> Array:
        return jnp.clip(self.alpha * x + self.beta, 0, 1)


class LeakyRelu(Spec):
    """x where it is positive, else alpha x (Maas, Hannun, Ng 2013).

    Example:
      >>> LeakyRelu(0.5)(jnp.array([-4.0, 4.0])).tolist()
      [-2.0, 4.0]
    """

    alpha: float = 0.01

    def __call__(self, x: Array) -> Array:
        return jnp.where(x >= 0, x, self.alpha * x)


class ThresholdedRelu(Spec):
    """x where it is above alpha, else 0 (Konda, Memisevic, Krueger 2014).

    Example:
      >>> ThresholdedRelu(2.0)(jnp.array([1.0, 3.0])).tolist()
      [0.0, 3.0]
    """

    alpha: float = 1.0

    def __call__(self, x: Array) -> Array:
        return jnp.where(x > self.alpha, x, 0)


class Elu(Spec):
    """x where it is positive, else alpha (exp(x) - 1) (Clevert et al. 2015).

    Example:
      >>> Elu(2.0)(jnp.array([0.0, 3.0])).tolist()
      [0.0, 3.0]
    """

    alpha: float = 1.0

    def __call__(self, x: Array) -> Array:
        return jax.nn.elu(x, self.alpha)


class Clipped(Spec):
    """A function of what is first brought into [-limit, limit].

    Example:
      >>> Clipped("identity", 2.0)(jnp.array([-3.0, 1.0])).tolist()
      [-2.0, 1.0]
    """

    function: Activation
    limit: float

    def __post_init__(self) -> None:
        super().__post_init__()
        activation(self.function)
        if not self.limit > 0:
            raise ValueError(f"`limit` must be above 0, got {self.limit!r}")

    def __call__(self, x: Array) -> Array:
        return activation(self.function)(jnp.clip(x, -self.limit, self.limit))
