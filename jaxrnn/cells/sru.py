"""The simple recurrent unit."""

import jax
import jax.numpy as jnp

from jaxrnn.cells.gates import one_size, squash
from jaxrnn.cells.linear import input_params
from jaxrnn.initializers import Initializer, LecunNormal
from jaxrnn.linear import LinearCell
from jaxrnn.product import matmul
from jaxrnn.typing import Array, Key, PyTree, Size


class SRU(LinearCell):
    """The simple recurrent unit: light recurrence, and a highway around it.

    ::

      f = s(W_f x + b_f)                   forget gate
      r = s(W_r x + b_r)                   reset gate
      c = f * c' + (1 - f) * W_x x
      y = r * c + (1 - r) * x              the output

    The kernel's columns hold the blocks in the order f, r, x. The carry is c. Where x
    is not of size H, B x takes its place.

    Args:
      hidden_size: H; the parameters are `kernel` `[input_size, 3H]`, `bias` `[2H]`
        (f, r) and, if `input_size` is not H, `bare_kernel` B `[input_size, H]`.
      kernel_init: of each block's W, and of B.

    References:
      Lei et al. 2018, equations 1 to 4, without their vectors v.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.SRU(4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> xs = jnp.ones((7, 2, 3))
      >>> carry, ys = jr.unroll(cell, params, xs, method="associative")
      >>> ys.shape
      (7, 2, 4)
    """

    hidden_size: int
    kernel_init: Initializer = LecunNormal()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        kernel_key, bare_key = jax.random.split(key)
        n, H = one_size(input_size, self), self.hidden_size
        params = input_params(self, kernel_key, n, gates=3, biases=2)
        if n != H:
            dtype = params["kernel"].dtype
            params["bare_kernel"] = self.kernel_init(bare_key, (n, H), dtype)
        return params

    def project(
        self, ready: PyTree, x: Array, *, key: Key | None = None
    ) -> tuple[Array, Array, Array]:
        product = matmul(x, ready["kernel"])
        gates, n = jnp.split(product, [2 * self.hidden_size], axis=-1)
        if "bare_kernel" in ready:
            bare = matmul(x, ready["bare_kernel"])
        else:
            bare = x.astype(product.dtype)
        return gates + ready["bias"], n, bare

    def elements(self, ready: PyTree, z: tuple) -> tuple[Array, Array]:
        gates, n, _ = z
        f, _ = squash(gates, "s", "s")
        return f, (1 - f) * n

    def readout(self, ready: PyTree, carry: Array, z: tuple) -> Array:
        gates, _, bare = z
        _, r = squash(gates, "s", "s")
        return r * carry + (1 - r) * bare
