"""Initial weights, each gate's block drawn on its own."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.product import gate_dtype
from jaxrnn.spec import Spec
from jaxrnn.typing import Array, Key, Shape


class Initializer(Spec):
    """A function `(key, shape, dtype) -> weights` that compares and prints by value."""

    def __call__(self, key: Key, shape: Shape, dtype: Any = jnp.float32) -> Array:
        raise NotImplementedError


class Orthogonal(Initializer):
    """`scale` times an orthogonal matrix, uniformly drawn.

    All singular values are `scale`; of the shorter side if the matrix is not square.
    It keeps norms through time: ||U h|| = ||h||.

    References:
      Saxe, McClelland, Ganguli 2014; lectures 000 and 004.

    Example:
      >>> U = Orthogonal()(jax.random.key(0), (4, 4))
      >>> bool(jnp.allclose(U.T @ U, jnp.eye(4), atol=1e-6))
      True
    """

    scale: float = 1.0

    def __call__(self, key: Key, shape: Shape, dtype: Any = jnp.float32) -> Array:
        if 0 in shape:
            return jnp.zeros(shape, dtype)
        wide = gate_dtype(dtype)  # QR knows no bfloat16
        return jax.nn.initializers.orthogonal(self.scale)(key, shape, wide).astype(
            dtype
        )


class Identity(Initializer):
    """`scale` times the identity (Le, Jaitly, Hinton 2015: IRNN).

    Example:
      >>> Identity(0.5)(jax.random.key(0), (2, 2)).tolist()
      [[0.5, 0.0], [0.0, 0.5]]
    """

    scale: float = 1.0

    def __call__(self, key: Key, shape: Shape, dtype: Any = jnp.float32) -> Array:
        return self.scale * jnp.eye(shape[0], shape[1], dtype=dtype)


class Normal(Initializer):
    """N(0, stddev^2).

    Example:
      >>> Normal(0.01)(jax.random.key(0), (5, 3)).shape
      (5, 3)
    """

    stddev: float = 0.01

    def __call__(self, key: Key, shape: Shape, dtype: Any = jnp.float32) -> Array:
        return self.stddev * jax.random.normal(key, shape, dtype)


class Uniform(Initializer):
    """U(-bound, bound).

    Example:
      >>> bool(jnp.all(jnp.abs(Uniform(0.1)(jax.random.key(0), (5, 3))) <= 0.1))
      True
    """

    bound: float = 0.1

    def __call__(self, key: Key, shape: Shape, dtype: Any = jnp.float32) -> Array:
        return jax.random.uniform(key, shape, dtype, -self.bound, self.bound)


class LecunNormal(Initializer):
    """N(0, 1/n) for `n` inputs, cut at two deviations.

    References:
      LeCun, Bottou, Orr, Müller 1998.

    Example:
      >>> LecunNormal()(jax.random.key(0), (5, 3)).shape
      (5, 3)
    """

    def __call__(self, key: Key, shape: Shape, dtype: Any = jnp.float32) -> Array:
        if 0 in shape:
            return jnp.zeros(shape, dtype)
        return jax.nn.initializers.lecun_normal()(key, shape, dtype)


def per_gate(
    init: Initializer, key: Key, shape: Shape, *, gates: int, dtype: Any = None
) -> Array:
    """Weights `[n, gates * m]` of `gates` blocks, each drawn on its own.

    One orthogonal `[H, 4H]` matrix is not four orthogonal gates: drawn whole, the
    blocks' singular values lie anywhere between 0 and 1.

    Args:
      init: how to draw one block.
      key: randomness.
      shape: `(n, m)`, one gate's block.
      gates: how many blocks stand side by side.
      dtype: of the weights; None: float32.

    Example:
      >>> U = per_gate(Orthogonal(), jax.random.key(0), (3, 3), gates=2)
      >>> [round(float(s), 4) for s in jnp.linalg.svd(U[:, 3:])[1]]
      [1.0, 1.0, 1.0]
    """
    dtype = jnp.float32 if dtype is None else dtype
    blocks = [init(k, shape, dtype) for k in jax.random.split(key, gates)]
    return jnp.concatenate(blocks, axis=-1)
