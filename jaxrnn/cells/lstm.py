"""Long short-term memory."""

from typing import NamedTuple

import jax.numpy as jnp

from jaxrnn.cell import Cell
from jaxrnn.cells.gates import gate_params, squash
from jaxrnn.cells.norm import norm, norm_affine, norm_params
from jaxrnn.initializers import Initializer, LecunNormal, Orthogonal
from jaxrnn.product import matmul, zeros
from jaxrnn.typing import Array, Key, PyTree, Shape, Size


class LSTMCarry(NamedTuple):
    """What an LSTM hands the next step: h and c, `[*batch, hidden_size]` each."""

    hidden: Array
    cell: Array


class LSTM(Cell):
    """Long short-term memory.

    ::

      i = s(W_i x + U_i h' + b_i)          input gate
      f = s(W_f x + U_f h' + b_f)          forget gate
      o = s(W_o x + U_o h' + b_o)          output gate
      g = tanh(W_g x + U_g h' + b_g)       candidate
      c = f * c' + i * g
      h = o * tanh(c)                      the output

    The kernels' columns hold the gates in the order i, f, o, g. With layer
    normalisation, LN, the gates are s(LN(W x) + LN(U h') + b), normalised together, and
    h = o * tanh(LN(c)).

    Args:
      hidden_size: H; the parameters are `kernel` `[input_size, 4H]`,
        `recurrent_kernel` `[H, 4H]` and `bias` `[4H]`.
      forget_bias: b_f at the start: 1 lets gradients pass from the first step on
        (Gers, Schmidhuber, Cummins 2000; Jozefowicz, Zaremba, Sutskever 2015).
      kernel_init: of each gate's W.
      recurrent_init: of each gate's U.
      layer_norm: whether to normalise; the scales are `kernel_scale` and
        `recurrent_scale` `[4H]`, `cell_scale` and `cell_bias` `[H]`.

    References:
      Hochreiter, Schmidhuber 1997; Gers, Schmidhuber, Cummins 2000; all five lectures.
      Layer normalisation: Ba, Kiros, Hinton 2016, supplementary material.

    Example:
      >>> import jax, jaxrnn as jr
      >>> cell = jr.LSTM(4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> carry, ys = jr.unroll(cell, params, jnp.ones((7, 2, 3)))
      >>> ys.shape, carry.cell.shape
      ((7, 2, 4), (2, 4))
    """

    hidden_size: int
    forget_bias: float = 1.0
    kernel_init: Initializer = LecunNormal()
    recurrent_init: Initializer = Orthogonal()
    layer_norm: bool = False

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        params = gate_params(self, key, input_size, gates=4)
        norms = {
            "kernel_scale": 4,
            "recurrent_scale": 4,
            "cell_scale": 1,
            "cell_bias": 1,
        }
        params |= norm_params(self, **norms)
        return params | {"bias": params["bias"].at[1].set(self.forget_bias).reshape(-1)}

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> LSTMCarry:
        start = zeros(ready, (*batch_shape, self.hidden_size))
        return LSTMCarry(hidden=start, cell=start)

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        return norm_affine(self, ready, x, 4 * self.hidden_size)

    def recur(
        self, ready: PyTree, carry: LSTMCarry, z: Array
    ) -> tuple[LSTMCarry, Array]:
        product = matmul(carry.hidden, ready["recurrent_kernel"])
        gates = z + norm(self, ready, product, "recurrent_scale")
        i, f, o, g = squash(gates, "s", "s", "s", "tanh")
        c = f * carry.cell + i * g
        h = o * jnp.tanh(norm(self, ready, c, "cell_scale", "cell_bias"))
        return LSTMCarry(hidden=h, cell=c), h
