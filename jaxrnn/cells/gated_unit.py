"""Units with a single gate."""

import jax
import jax.numpy as jnp

from jaxrnn.activations import Activation, activation
from jaxrnn.cell import Cell
from jaxrnn.cells.gates import gate_params, squash
from jaxrnn.initializers import Initializer, LecunNormal, Orthogonal
from jaxrnn.product import affine, matmul
from jaxrnn.typing import Array, Key, PyTree, Size


class BasicGatedUnit(Cell):
    """A vanilla network whose update is gated.

    ::

      u = s(W_u x + U_u h' + b_u)          update gate
      n = g(W_n x + U_n h' + b_n)          candidate
      h = u * n + (1 - u) * h'             the output

    The kernels' columns hold the blocks in the order u, n.

    Args:
      hidden_size: H; the parameters are `kernel` `[input_size, 2H]`,
        `recurrent_kernel` `[H, 2H]` and `bias` `[2H]`.
      activation: g, a name or a function, as of `Elman`.
      kernel_init: of each block's W.
      recurrent_init: of each block's U.

    References:
      Lecture 004.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.BasicGatedUnit(4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> carry, ys = jr.unroll(cell, params, jnp.ones((7, 2, 3)))
      >>> ys.shape
      (7, 2, 4)
    """

    hidden_size: int
    activation: Activation = "tanh"
    kernel_init: Initializer = LecunNormal()
    recurrent_init: Initializer = Orthogonal()

    input_kernel = ("kernel",)

    def __post_init__(self) -> None:
        activation(self.activation)
        super().__post_init__()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        params = gate_params(self, key, input_size, gates=2)
        return params | {"bias": params["bias"].reshape(-1)}

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        return affine(x, ready["kernel"], ready["bias"])

    def recur(self, ready: PyTree, carry: Array, z: Array) -> tuple[Array, Array]:
        a = z + matmul(carry, ready["recurrent_kernel"])
        u, n = squash(a, "s", self.activation)
        h = u * n + (1 - u) * carry
        return h, h


class MGU(Cell):
    """Minimal gated unit: a `GRU` whose one gate both updates and resets.

    ::

      f = s(W_f x + U_f h' + b_f)                forget gate
      n = tanh(W_n x + U_n (f * h') + b_n)       candidate
      h = f * n + (1 - f) * h'                   the output

    The kernels' columns hold the blocks in the order f, n.

    Args:
      hidden_size: H; the parameters are `kernel` `[input_size, 2H]`,
        `recurrent_kernel` `[H, 2H]` and `bias` `[2H]`.
      kernel_init: of each block's W.
      recurrent_init: of each block's U.

    References:
      Zhou, Wu, Zhang, Zhou 2016.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.MGU(4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> carry, ys = jr.unroll(cell, params, jnp.ones((7, 2, 3)))
      >>> bool((ys[-1] == carry).all())
      True
    """

    hidden_size: int
    kernel_init: Initializer = LecunNormal()
    recurrent_init: Initializer = Orthogonal()

    input_kernel = ("kernel",)

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        params = gate_params(self, key, input_size, gates=2)
        return params | {"bias": params["bias"].reshape(-1)}

    def project(
        self, ready: PyTree, x: Array, *, key: Key | None = None
    ) -> list[Array]:
        return jnp.split(affine(x, ready["kernel"], ready["bias"]), 2, axis=-1)

    def recur(self, ready: PyTree, carry: Array, z: list[Array]) -> tuple[Array, Array]:
        (f, n), U = z, ready["recurrent_kernel"]
        U_f, U_n = jnp.split(U, 2, axis=-1)
        f = jax.nn.sigmoid(f + matmul(carry, U_f))
        n = jnp.tanh(n + matmul(f * carry, U_n))
        h = f * n + (1 - f) * carry
        return h, h
