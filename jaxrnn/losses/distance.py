"""How far a vector is from the one it should be."""

import jax.numpy as jnp
import optax

from jaxrnn.product import gate_dtype
from jaxrnn.typing import Array


def squared_error(y: Array, target: Array) -> Array:
    """The squared distance of each step: the lectures' L2 loss.

    ::

      loss = sum_i(y[i] - target[i]) ^ 2

    Args:
      y: `[..., n]`, floating.
      target: `[..., n]`, floating.

    Returns:
      `[...]`, float32 whatever the dtypes (float64 where one is float64).

    Raises:
      TypeError: if an argument is not floating.
      ValueError: if the shapes differ, or have no last axis.

    Example:
      >>> squared_error(jnp.array([[1.0, 2.0]]), jnp.zeros((1, 2)))
      Array([5.], dtype=float32)
    """
    y, target = _checked(y, target)
    return jnp.sum((y - target) ** 2, axis=-1)


def huber(y: Array, target: Array, *, delta: float = 1.0) -> Array:
    """Like half the squared distance where near, and like the distance where far.

    ::

      loss = sum_i e[i]^2 / 2                   where e = |y - target| <= delta
                   delta (e[i] - delta / 2)     elsewhere

    So a single wild target moves the parameters no more than a moderate one.

    Args:
      y: `[..., n]`, floating.
      target: `[..., n]`, floating.
      delta: where the one becomes the other; positive.

    Returns:
      `[...]`, float32 whatever the dtypes (float64 where one is float64).

    Raises:
      TypeError: if an argument is not floating.
      ValueError: if the shapes differ or have no last axis, or `delta` is not positive.

    References:
      Huber 1964.

    Example:
      >>> huber(jnp.array([[0.5], [10.0]]), jnp.zeros((2, 1)))
      Array([0.125, 9.5  ], dtype=float32)
    """
    if not delta > 0:
        raise ValueError(f"`delta` must be positive, got {delta}")
    y, target = _checked(y, target)
    return jnp.sum(optax.huber_loss(y, target, delta=delta), axis=-1)


def _checked(y: Array, target: Array) -> tuple[Array, Array]:
    y, target = jnp.asarray(y), jnp.asarray(target)
    for name, array in (("y", y), ("target", target)):
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise TypeError(f"`{name}` must be floating, got {array.dtype}")
    if y.ndim == 0 or y.shape != target.shape:
        raise ValueError(
            "`y` and `target` must have the same shape [..., n], got "
            f"{y.shape} and {target.shape}"
        )
    dtype = gate_dtype(y.dtype, target.dtype)
    return y.astype(dtype), target.astype(dtype)
