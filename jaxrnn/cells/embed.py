"""Token ids to vectors."""

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn import checks
from jaxrnn.cell import Memoryless
from jaxrnn.initializers import Initializer, Normal
from jaxrnn.typing import Array, Key, PyTree, Size


class _Tokens(Memoryless):
    """A layer that reads ids in [0, vocab_size), checked while they are concrete."""

    vocab_size: int
    input_ndim: ClassVar[int] = 0

    def check_input(self, xs: Array) -> None:
        if not jnp.issubdtype(xs.dtype, jnp.integer):
            raise TypeError(f"token ids must be integers, got {xs.dtype}")
        if checks.concrete(xs) and xs.size:
            ids = np.asarray(xs)
            if ids.min() < 0 or ids.max() >= self.vocab_size:
                raise ValueError(
                    f"token ids must lie in [0, vocab_size) = [0, {self.vocab_size}), "
                    f"got values from {ids.min()} to {ids.max()}"
                )


class Embed(_Tokens):
    """One learned vector a token: y = E[x].

    An id outside the vocabulary is an error; where values cannot be looked at (under
    jit) its vector is zero.

    Args:
      vocab_size: number of tokens; the parameter is `embedding` E
        `[vocab_size, features]`.
      features: the vectors' size.
      embedding_init: of E.

    Example:
      >>> import jaxrnn as jr
      >>> layer = jr.Embed(5, 3)
      >>> params = layer.init(jax.random.key(0))
      >>> jr.unroll(layer, params, jnp.array([[0, 4], [1, 2]]))[1].shape
      (2, 2, 3)
    """

    features: int
    embedding_init: Initializer = Normal(1.0)

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        shape = (self.vocab_size, self.features)
        return {
            "embedding": self.embedding_init(
                key, shape, self.param_dtype or jnp.float32
            )
        }

    def output_size(self, input_size: Size | None) -> Size:
        return self.features

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        known = (x >= 0) & (x < self.vocab_size)
        vectors = ready["embedding"][jnp.where(known, x, 0)]
        return jnp.where(known[..., None], vectors, jnp.zeros((), vectors.dtype))


class OneHot(_Tokens):
    """The lectures' input layer: y is 1 at x and 0 elsewhere.

    Args:
      vocab_size: number of tokens, and the vectors' size.

    Example:
      >>> import jaxrnn as jr
      >>> jr.unroll(jr.OneHot(4), {}, jnp.array([2, 0]))[1].tolist()  # "h e l o"
      [[0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]]
    """

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        return {}

    def output_size(self, input_size: Size | None) -> Size:
        return self.vocab_size

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        return jax.nn.one_hot(x, self.vocab_size, dtype=self.dtype or jnp.float32)
