"""Cells whose recurrent matrix depends on the input, through a product of factors."""

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.activations import Activation, activation
from jaxrnn.cell import Cell
from jaxrnn.cells.gates import gate_params, one_size, squash
from jaxrnn.cells.lstm import LSTMCarry
from jaxrnn.initializers import Initializer, LecunNormal, Orthogonal
from jaxrnn.product import matmul, zeros
from jaxrnn.typing import Array, Key, PyTree, Shape, Size


class MultiplicativeRNN(Cell):
    """A vanilla network in which every input has a recurrent matrix of its own.

    ::

      m = (W_m x) * (U_m h')           factors
      h = f(W x + U m + b)             the output

    So h' meets U diag(W_m x) U_m. The columns of `kernel` hold W_m, then W.

    Args:
      hidden_size: H; the parameters are `kernel` `[input_size, F + H]`, U_m as
        `factor_kernel` `[H, F]`, U as `recurrent_kernel` `[F, H]` and `bias` `[H]`.
      factor_size: F; None: H.
      activation: f, a name or a function, as of `Elman`.
      kernel_init: of W_m and of W.
      recurrent_init: of U_m and of U.

    References:
      Sutskever, Martens, Hinton 2011.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.MultiplicativeRNN(4, factor_size=6)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> jr.unroll(cell, params, jnp.ones((7, 2, 3)))[1].shape
      (7, 2, 4)
    """

    hidden_size: int
    factor_size: int | None = None
    activation: Activation = "tanh"
    kernel_init: Initializer = LecunNormal()
    recurrent_init: Initializer = Orthogonal()

    input_kernel = ("kernel",)

    def __post_init__(self) -> None:
        activation(self.activation)
        if self.factor_size is not None:
            checks.positive(factor_size=self.factor_size)
        super().__post_init__()

    @property
    def _factors(self) -> int:
        return self.factor_size or self.hidden_size

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        W_m, W, U_m, U = jax.random.split(key, 4)
        n, F, H = one_size(input_size, self), self._factors, self.hidden_size
        dtype = self.param_dtype or jnp.float32
        kernels = (
            self.kernel_init(W_m, (n, F), dtype),
            self.kernel_init(W, (n, H), dtype),
        )
        return {
            "kernel": jnp.concatenate(kernels, axis=-1),
            "factor_kernel": self.recurrent_init(U_m, (H, F), dtype),
            "recurrent_kernel": self.recurrent_init(U, (F, H), dtype),
            "bias": jnp.zeros(H, dtype),
        }

    def project(
        self, ready: PyTree, x: Array, *, key: Key | None = None
    ) -> tuple[Array, Array]:
        product = matmul(x, ready["kernel"])
        m, a = jnp.split(product, [self._factors], axis=-1)
        return m, a + ready["bias"]

    def recur(
        self, ready: PyTree, carry: Array, z: tuple[Array, Array]
    ) -> tuple[Array, Array]:
        m, a = z
        m = m * matmul(carry, ready["factor_kernel"])
        h = activation(self.activation)(a + matmul(m, ready["recurrent_kernel"]))
        return h, h


class MultiplicativeLSTM(Cell):
    """An `LSTM` whose gates read the product of input and state in place of the state.

    ::

      m = (W_m x) * (U_m h')               factors
      i = s(W_i x + U_i m + b_i)           input gate
      f = s(W_f x + U_f m + b_f)           forget gate
      o = s(W_o x + U_o m + b_o)           output gate
      g = tanh(W_g x + U_g m + b_g)        candidate
      c = f * c' + i * g
      h = o * tanh(c)                      the output

    The columns of `kernel` hold W_m, then the gates in the order i, f, o, g, as
    `recurrent_kernel` and `bias` do.

    Args:
      hidden_size: H; the parameters are `kernel` `[input_size, 5H]`, U_m as
        `factor_kernel` `[H, H]`, `recurrent_kernel` `[H, 4H]` and `bias` `[4H]`.
      forget_bias: b_f at the start.
      kernel_init: of W_m and of each gate's W.
      recurrent_init: of U_m and of each gate's U.

    References:
      Krause, Lu, Murray, Renals 2016; h as the LSTM has it.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.MultiplicativeLSTM(4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> jr.unroll(cell, params, jnp.ones((7, 2, 3)))[1].shape
      (7, 2, 4)
    """

    hidden_size: int
    forget_bias: float = 1.0
    kernel_init: Initializer = LecunNormal()
    recurrent_init: Initializer = Orthogonal()

    input_kernel = ("kernel",)

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        key, W_m, U_m = jax.random.split(key, 3)
        params = gate_params(self, key, input_size, gates=4)
        kernel, H = params["kernel"], self.hidden_size
        factors = self.kernel_init(W_m, (len(kernel), H), kernel.dtype)
        return params | {
            "kernel": jnp.concatenate([factors, kernel], axis=-1),
            "factor_kernel": self.recurrent_init(U_m, (H, H), kernel.dtype),
            "bias": params["bias"].at[1].set(self.forget_bias).reshape(-1),
        }

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> LSTMCarry:
        start = zeros(ready, (*batch_shape, self.hidden_size))
        return LSTMCarry(hidden=start, cell=start)

    def project(
        self, ready: PyTree, x: Array, *, key: Key | None = None
    ) -> tuple[Array, Array]:
        product = matmul(x, ready["kernel"])
        m, gates = jnp.split(product, [self.hidden_size], axis=-1)
        return m, gates + ready["bias"]

    def recur(
        self, ready: PyTree, carry: LSTMCarry, z: tuple[Array, Array]
    ) -> tuple[LSTMCarry, Array]:
        m, gates = z
        m = m * matmul(carry.hidden, ready["factor_kernel"])
        gates = gates + matmul(m, ready["recurrent_kernel"])
        i, f, o, g = squash(gates, "s", "s", "s", "tanh")
        c = f * carry.cell + i * g
        h = o * jnp.tanh(c)
        return LSTMCarry(hidden=h, cell=c), h
