"""Scores that see where the attention looked before."""

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxrnn.attention.additive import Additive
from jaxrnn.attention.attention import Look
from jaxrnn.product import gate_dtype, matmul
from jaxrnn.typing import Array, Key, PyTree


class LocationAware(Additive):
    """An additive score that also sees the last alignment around each position.

    ::

      f_s = sum_j F_j a'_{s+j}                        j around 0, a filter bank
      e_s = v . tanh(W q + U m_s + L f_s + b)

    So it can move on from where it was, as through speech.

    Args:
      size: as of `Additive`, and likewise `coverage` and `kernel_init`.
      filters: how many; `filters` F is `[width, filters]`, `location_kernel` L
        `[filters, size]`.
      width: how many positions a filter sees, as many before s as after it; with an
        even number, one more after it.

    References:
      Chorowski et al. 2015, equations 8 and 9.

    Example:
      >>> import jaxrnn as jr
      >>> score = jr.attention.LocationAware(6, filters=2, width=3)
      >>> params = score.init(jax.random.key(0), 4, 3)
      >>> score(params, jnp.ones((2, 4)), jnp.ones((2, 5, 3)))[1].shape
      (2, 5)
    """

    filters: int = 10
    width: int = 31

    def init(
        self,
        key: Key,
        query_size: int,
        memory_size: int,
        value_size: int | None = None,
        *,
        dtype: DTypeLike = jnp.float32,
    ) -> PyTree:
        own, filter_key, location_key = jax.random.split(key, 3)
        draw = lambda key, n, m: self.kernel_init(key, (n, m), dtype)
        return super().init(own, query_size, memory_size, dtype=dtype) | {
            "filters": draw(filter_key, self.width, self.filters),
            "location_kernel": draw(location_key, self.filters, self.size),
        }

    def seen(self, ready: PyTree, query: Array, past: Look) -> Array:
        around = _convolved(past.alignment, ready["filters"])
        located = matmul(around, ready["location_kernel"])
        return super().seen(ready, query, past) + located


def _convolved(alignment: Array, filters: Array) -> Array:
    """`[*batch, S, filters]`, zero around the ends."""
    if not alignment.size:
        shape = (*alignment.shape, filters.shape[-1])
        return jnp.zeros(shape, gate_dtype(filters.dtype))
    rows = alignment.reshape(-1, alignment.shape[-1], 1).astype(filters.dtype)
    seen = jax.lax.conv_general_dilated(
        rows,
        filters.reshape(-1, 1, filters.shape[-1]),
        (1,),
        "SAME",
        dimension_numbers=("NWC", "WIO", "NWC"),
        preferred_element_type=gate_dtype(filters.dtype),
    )
    return seen.reshape(*alignment.shape, filters.shape[-1])
