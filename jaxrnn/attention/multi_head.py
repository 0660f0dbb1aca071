"""Several looks at once, each at a part of what keys and queries say."""

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxrnn.attention.attention import Attention, Look, followed
from jaxrnn.attention.normalize import NORMALIZERS
from jaxrnn.initializers import GlorotUniform, Initializer
from jaxrnn.product import matmul
from jaxrnn.typing import Array, Key, PyTree


class MultiHead(Attention):
    """Several heads look at once, each in its own projection.

    ::

      e_is = (Q_i q) . (K_i m_s) / sqrt(size / heads)      head i
      c_i = sum_s a_is V_i m_s
      c = O [c_1; ...; c_heads]

    The alignment that it shows is the mean of the heads'.

    Args:
      heads: how many; they share `size` equally.
      size: of the context; the parameters are `query_kernel` Q `[query_size, size]`,
        `key_kernel` K `[memory_size, size]`, `value_kernel` V `[value_size, size]` and
        `output_kernel` O `[size, size]`.
      kernel_init: of all four.

    References:
      Vaswani et al. 2017, section 3.2.2.

    Example:
      >>> import jaxrnn as jr
      >>> score = jr.attention.MultiHead(2, 6)
      >>> params = score.init(jax.random.key(0), 4, 3)
      >>> context, weights = score(params, jnp.ones((2, 4)), jnp.ones((2, 5, 3)))
      >>> context.shape, weights.shape
      ((2, 6), (2, 5))
    """

    heads: int
    size: int
    kernel_init: Initializer = GlorotUniform()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size % self.heads:
            raise ValueError(
                f"`size` must be a multiple of `heads`, {self.heads}, got {self.size}"
            )

    def init(
        self,
        key: Key,
        query_size: int,
        memory_size: int,
        value_size: int | None = None,
        *,
        dtype: DTypeLike = jnp.float32,
    ) -> PyTree:
        rows = {
            "query_kernel": query_size,
            "key_kernel": memory_size,
            "value_kernel": memory_size if value_size is None else value_size,
            "output_kernel": self.size,
        }
        keys = zip(rows.items(), jax.random.split(key, len(rows)), strict=True)
        draw = lambda own, n: self.kernel_init(own, (n, self.size), dtype)
        return {name: draw(own, n) for (name, n), own in keys}

    def context_size(self, memory_size: int) -> int:
        return self.size

    def keys(self, params: PyTree, memory: Array) -> Array:
        return matmul(memory, params["key_kernel"])

    def values(self, params: PyTree, values: Array) -> Array:
        return matmul(values, params["value_kernel"])

    def look(
        self, ready: PyTree, query: Array, past: Look, *, noise: PyTree = None
    ) -> tuple[Look, Array]:
        width = self.size // self.heads
        apart = lambda a: a.reshape(*a.shape[:-1], self.heads, width)
        q = apart(matmul(query, ready["query_kernel"]))
        scores = jnp.einsum("...shk,...hk->...hs", apart(ready["keys"]), q)
        real = None if ready["real"] is None else ready["real"][..., None, :]
        weights = NORMALIZERS[self.normalize](scores / width**0.5, real)
        heads = jnp.einsum("...hs,...shk->...hk", weights, apart(ready["values"]))
        context = heads.reshape(*query.shape[:-1], self.size)
        alignment = weights.mean(axis=-2)
        return followed(past, alignment), matmul(context, ready["output_kernel"])
