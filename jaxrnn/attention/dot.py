"""Scores that are inner products."""

import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxrnn.attention.attention import Attention, Look
from jaxrnn.initializers import Initializer, LecunNormal
from jaxrnn.product import matmul
from jaxrnn.typing import Array, Key, PyTree


class Dot(Attention):
    """e_s = q . k_s, of queries and keys of one size. No parameters.

    References:
      Luong, Pham, Manning 2015, "dot" score.

    Example:
      >>> import jaxrnn as jr
      >>> memory = jnp.array([[9.0, 0.0], [0.0, 1.0]])  # [S, M]
      >>> _, weights = jr.attention.Dot()({}, jnp.array([2.0, 1.0]), memory)
      >>> weights.round(2).tolist()
      [1.0, 0.0]
    """

    def init(
        self,
        key: Key,
        query_size: int,
        memory_size: int,
        value_size: int | None = None,
        *,
        dtype: DTypeLike = jnp.float32,
    ) -> PyTree:
        if query_size != memory_size:
            raise ValueError(
                f"`{type(self).__name__}` needs queries and keys of one size, got "
                f"{query_size} and {memory_size}: use `General`"
            )
        return {}

    def score(self, ready: PyTree, query: Array, past: Look) -> Array:
        return jnp.einsum("...sk,...k->...s", ready["keys"], query)


class ScaledDot(Dot):
    """e_s = q . k_s / sqrt(K), of queries and keys of one size K. No parameters.

    References:
      Vaswani et al. 2017, equation 1.

    Example:
      >>> import jaxrnn as jr
      >>> memory = jnp.zeros((5, 3))  # [S, M]
      >>> jr.attention.ScaledDot()({}, jnp.ones(3), memory)[1].tolist()
      [0.20000000298023224, 0.20000000298023224, 0.20000000298023224, \
0.20000000298023224, 0.20000000298023224]
    """

    def score(self, ready: PyTree, query: Array, past: Look) -> Array:
        return super().score(ready, query, past) / ready["keys"].shape[-1] ** 0.5


class General(Attention):
    """e_s = q . (W m_s): a product that fits a memory of any size to the query.

    Args:
      key_init: of W, the parameter `key_kernel` `[memory_size, query_size]`.

    References:
      Luong, Pham, Manning 2015, "general" score.

    Example:
      >>> import jax, jaxrnn as jr
      >>> score = jr.attention.General()
      >>> params = score.init(jax.random.key(0), 4, 3)
      >>> context, weights = score(params, jnp.ones((2, 4)), jnp.ones((2, 5, 3)))
      >>> context.shape
      (2, 3)
    """

    key_init: Initializer = LecunNormal()

    def init(
        self,
        key: Key,
        query_size: int,
        memory_size: int,
        value_size: int | None = None,
        *,
        dtype: DTypeLike = jnp.float32,
    ) -> PyTree:
        return {"key_kernel": self.key_init(key, (memory_size, query_size), dtype)}

    def keys(self, params: PyTree, memory: Array) -> Array:
        return matmul(memory, params["key_kernel"])

    def score(self, ready: PyTree, query: Array, past: Look) -> Array:
        return jnp.einsum("...sk,...k->...s", ready["keys"], query)
