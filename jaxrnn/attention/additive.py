"""Scores that are sums of what the query says and what the memory says."""

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxrnn.attention.attention import Attention, Look
from jaxrnn.initializers import Initializer, LecunNormal
from jaxrnn.product import affine, matmul
from jaxrnn.typing import Array, Key, PyTree


class Additive(Attention):
    """A small network compares the query with each position.

    ::

      e_s = v . tanh(W q + U m_s + b)
      e_s = v . tanh(W q + U m_s + w_c g_s + b)      coverage

    where the coverage g_s is the sum of all alignments before, so that the network sees
    what has been read already.

    Args:
      size: of the network; the parameters are `query_kernel` W `[query_size, size]`,
        `key_kernel` U `[memory_size, size]`, `bias` b and `score_scale` v `[size]`.
      coverage: whether to look at it, through `coverage_scale` w_c `[size]`.
      kernel_init: of W and U, and of v, which is drawn as `[size, 1]`.

    References:
      Bahdanau, Cho, Bengio 2015, appendix A.1.2, there without b; Luong, Pham, Manning
      2015, "concat" score. Coverage: See, Liu, Manning 2017, equation 11.

    Example:
      >>> import jaxrnn as jr
      >>> score = jr.attention.Additive(6)
      >>> params = score.init(jax.random.key(0), 4, 3)
      >>> context, weights = score(params, jnp.ones((2, 4)), jnp.ones((2, 5, 3)))
      >>> context.shape, weights.shape
      ((2, 3), (2, 5))
    """

    size: int
    coverage: bool = False
    kernel_init: Initializer = LecunNormal()

    @property
    def covers(self) -> bool:
        return self.coverage

    def init(
        self,
        key: Key,
        query_size: int,
        memory_size: int,
        value_size: int | None = None,
        *,
        dtype: DTypeLike = jnp.float32,
    ) -> PyTree:
        query_key, memory_key, score_key, coverage_key = jax.random.split(key, 4)
        draw = lambda key, n, m: self.kernel_init(key, (n, m), dtype)
        params = {
            "query_kernel": draw(query_key, query_size, self.size),
            "key_kernel": draw(memory_key, memory_size, self.size),
            "bias": jnp.zeros(self.size, dtype),
            "score_scale": draw(score_key, self.size, 1)[:, 0],
        }
        if self.coverage:
            params["coverage_scale"] = draw(coverage_key, 1, self.size)[0]
        return params

    def keys(self, params: PyTree, memory: Array) -> Array:
        return affine(memory, params["key_kernel"], params["bias"])

    def score(self, ready: PyTree, query: Array, past: Look) -> Array:
        sums = ready["keys"] + self.seen(ready, query, past)
        return jnp.sum(jnp.tanh(sums) * ready["score_scale"], axis=-1)

    def seen(self, ready: PyTree, query: Array, past: Look) -> Array:
        """All that is added to the keys, `[*batch, S or 1, size]`."""
        seen = matmul(query, ready["query_kernel"])[..., None, :]
        if past.coverage is not None:
            seen = seen + past.coverage[..., None] * ready["coverage_scale"]
        return seen


class Concat(Attention):
    """e_s = W [q; m_s]: a linear score.

    The query's part is the same for all positions, and normalising cancels what they
    have in common. So the weights depend on the memory alone; `Additive`, with a tanh
    between, is what compares.

    Args:
      kernel_init: of W, a column, whose parts are `query_kernel` `[query_size, 1]` and
        `key_kernel` `[memory_size, 1]`.

    References:
      Lecture 004.

    Example:
      >>> import jaxrnn as jr
      >>> score = jr.attention.Concat()
      >>> params = score.init(jax.random.key(0), 4, 3)
      >>> score(params, jnp.ones((2, 4)), jnp.ones((2, 5, 3)))[1].shape
      (2, 5)
    """

    kernel_init: Initializer = LecunNormal()

    def init(
        self,
        key: Key,
        query_size: int,
        memory_size: int,
        value_size: int | None = None,
        *,
        dtype: DTypeLike = jnp.float32,
    ) -> PyTree:
        kernel = self.kernel_init(key, (query_size + memory_size, 1), dtype)
        return {"query_kernel": kernel[:query_size], "key_kernel": kernel[query_size:]}

    def keys(self, params: PyTree, memory: Array) -> Array:
        return matmul(memory, params["key_kernel"])

    def score(self, ready: PyTree, query: Array, past: Look) -> Array:
        return ready["keys"][..., 0] + matmul(query, ready["query_kernel"])
