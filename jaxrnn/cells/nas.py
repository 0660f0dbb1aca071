"""The unit that a controller network found by reinforcement learning."""

import jax
import jax.numpy as jnp

from jaxrnn.cell import Cell
from jaxrnn.cells.gates import gate_params
from jaxrnn.cells.lstm import LSTMCarry
from jaxrnn.initializers import Initializer, LecunNormal, Orthogonal
from jaxrnn.product import matmul, zeros
from jaxrnn.typing import Array, Key, PyTree, Shape, Size


class NAS(Cell):
    """The unit of neural architecture search: a tree of eight leaves.

    ::

      a_k = W_k x,  m_k = U_k h' + b_k,  k = 1 .. 8

      p_1 = tanh(s(a_1 + m_1) * relu(a_2 + m_2))
      p_2 = tanh(s(a_3 + m_3) + relu(a_4 * m_4))
      p_3 = tanh(tanh(a_5 + m_5) * s(a_6 + m_6))
      p_4 = s(tanh(a_7 + m_7) + s(a_8 + m_8))
      c = tanh(p_1 + c') * p_2
      h = tanh(c * tanh(p_3 + p_4))              the output

    The kernels' columns hold the eight blocks in order.

    Args:
      hidden_size: H; the parameters are `kernel` `[input_size, 8H]`,
        `recurrent_kernel` `[H, 8H]` and `bias` `[8H]`.
      kernel_init: of each W_k.
      recurrent_init: of each U_k.

    References:
      Zoph, Le 2017, with the last two tanh as the authors released them; lecture 001.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.NAS(4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> carry, ys = jr.unroll(cell, params, jnp.ones((7, 2, 3)))
      >>> ys.shape, carry.cell.shape
      ((7, 2, 4), (2, 4))
    """

    hidden_size: int
    kernel_init: Initializer = LecunNormal()
    recurrent_init: Initializer = Orthogonal()

    input_kernel = ("kernel",)

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        params = gate_params(self, key, input_size, gates=8)
        return params | {"bias": params["bias"].reshape(-1)}

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> LSTMCarry:
        start = zeros(ready, (*batch_shape, self.hidden_size))
        return LSTMCarry(hidden=start, cell=start)

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        return matmul(x, ready["kernel"])

    def recur(
        self, ready: PyTree, carry: LSTMCarry, z: Array
    ) -> tuple[LSTMCarry, Array]:
        s, relu, tanh = jax.nn.sigmoid, jax.nn.relu, jnp.tanh
        m = matmul(carry.hidden, ready["recurrent_kernel"]) + ready["bias"]
        a1, a2, a3, a4, a5, a6, a7, a8 = jnp.split(z, 8, axis=-1)
        m1, m2, m3, m4, m5, m6, m7, m8 = jnp.split(m, 8, axis=-1)
        p1 = tanh(s(a1 + m1) * relu(a2 + m2))
        p2 = tanh(s(a3 + m3) + relu(a4 * m4))
        p3 = tanh(tanh(a5 + m5) * s(a6 + m6))
        p4 = s(tanh(a7 + m7) + s(a8 + m8))
        c = tanh(p1 + carry.cell) * p2
        h = tanh(c * tanh(p3 + p4))
        return LSTMCarry(hidden=h, cell=c), h
