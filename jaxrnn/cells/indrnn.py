"""Units that hear nobody but themselves."""

import jax
import jax.numpy as jnp

from jaxrnn.activations import Activation, activation
from jaxrnn.cell import Cell
from jaxrnn.cells.gates import one_size
from jaxrnn.initializers import Initializer, LecunNormal
from jaxrnn.product import affine
from jaxrnn.typing import Array, Key, PyTree, Size


class IndRNN(Cell):
    """Independently recurrent network: h = f(W x + u * h' + b), and the output is h.

    Each unit is fed back to itself alone; layers in a `Stack` mix them.

    Args:
      hidden_size: H; the parameters are `kernel` W `[input_size, H]`, u as
        `recurrent_kernel` `[H]`, drawn from U(0, 1), and `bias` b `[H]`.
      activation: f, a name or a function, as of `Elman`.
      kernel_init: of W.

    References:
      Li, Li, Cook, Zhu, Gao 2018, equation 2.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.Stack(jr.IndRNN(4), jr.IndRNN(4))
      >>> params = cell.init(jax.random.key(0), 3)
      >>> jr.unroll(cell, params, jnp.ones((7, 2, 3)))[1].shape
      (7, 2, 4)
    """

    hidden_size: int
    activation: Activation = "relu"
    kernel_init: Initializer = LecunNormal()

    input_kernel = ("kernel",)

    def __post_init__(self) -> None:
        activation(self.activation)
        super().__post_init__()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        W, u = jax.random.split(key)
        n, H = one_size(input_size, self), self.hidden_size
        dtype = self.param_dtype or jnp.float32
        return {
            "kernel": self.kernel_init(W, (n, H), dtype),
            "recurrent_kernel": jax.random.uniform(u, (H,), dtype),
            "bias": jnp.zeros(H, dtype),
        }

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        return affine(x, ready["kernel"], ready["bias"])

    def recur(self, ready: PyTree, carry: Array, z: Array) -> tuple[Array, Array]:
        h = activation(self.activation)(z + ready["recurrent_kernel"] * carry)
        return h, h
