"""A gate between a cell and its inputs."""

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.combine.residual import Residual
from jaxrnn.initializers import Initializer, LecunNormal
from jaxrnn.product import affine
from jaxrnn.typing import Array, Key, PyTree, Size


class Highway(Residual):
    """A gate that mixes a cell's outputs with its inputs, unit by unit.

    ::

      g = s(W x + b)                       the transform gate
      y = g * cell(x) + (1 - g) * x

    Args:
      cell: any cell whose outputs have the size n of its inputs; its parameters are
        under `cell`, beside `kernel` W `[n, n]` and `bias` b `[n]`.
      gate_bias: b at the start: below 0 the inputs pass at first.
      kernel_init: of W.

    References:
      Srivastava, Greff, Schmidhuber 2015, equation 3; lecture 001.

    Example:
      >>> import jaxrnn as jr
      >>> layer = jr.Highway(jr.GRU(4))
      >>> params = layer.init(jax.random.key(0), 4)
      >>> jr.unroll(layer, params, jnp.ones((7, 2, 4)))[1].shape
      (7, 2, 4)
    """

    gate_bias: float = -1.0
    kernel_init: Initializer = LecunNormal()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        checks.positive(input_size=input_size)
        cell_key, kernel_key = jax.random.split(key)
        params = super().init(cell_key, input_size)
        n, dtype = input_size, self.param_dtype or jnp.float32
        kernel = self.kernel_init(kernel_key, (n, n), dtype)  # type: ignore[arg-type]
        return params | {"kernel": kernel, "bias": jnp.full(n, self.gate_bias, dtype)}

    def bypass(self, ready: PyTree, x: Array) -> PyTree:
        return x, jax.nn.sigmoid(affine(x, ready["kernel"], ready["bias"]))

    def join(self, y: Array, past_cell: PyTree) -> Array:
        x, gate = (a.astype(y.dtype) for a in past_cell)
        return gate * y + (1 - gate) * x
