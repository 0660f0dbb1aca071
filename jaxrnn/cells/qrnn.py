"""The quasi-recurrent network: a window of inputs, and a pooling of its gates."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.cell import Cell
from jaxrnn.cells.gates import one_size, squash
from jaxrnn.cells.linear import input_params
from jaxrnn.initializers import Initializer, LecunNormal
from jaxrnn.linear import LinearCell
from jaxrnn.product import affine, gate_dtype, zeros
from jaxrnn.typing import Array, Key, PyTree, Shape, Size


class QRNNCarry(NamedTuple):
    """What a QRNN hands the next step.

    Attributes:
      inputs: `[*batch, window, input_size]`, the last ones, the oldest first.
      cell: c, `[*batch, hidden_size]`.
    """

    inputs: Array
    cell: Array


class QRNN(Cell):
    """The quasi-recurrent network: gates see a window of inputs, and no state.

    ::

      X = [x_{t-window+1}, .., x_t]        zeros before the start
      f = s(W_f X + b_f)                   forget gate
      o = s(W_o X + b_o)                   output gate
      n = tanh(W_n X + b_n)                candidate
      c = f * c' + (1 - f) * n
      h = o * c                            the output

    The window holds real steps of one segment: padding is passed over, a reset empties
    it, and backwards it holds the inputs that come later. The kernel's columns hold the
    blocks in the order f, o, n.

    Args:
      hidden_size: H; the parameters are `kernel` `[window * input_size, 3H]`, the rows
        of the oldest input first, and `bias` `[3H]`.
      window: how many inputs the gates see.
      kernel_init: of each block's W.

    References:
      Bradbury et al. 2017, equations 1, 2 and 4 (fo-pooling).

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.QRNN(4, window=2)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> xs = jnp.ones((7, 5, 3))
      >>> carry, ys = jr.unroll(cell, params, xs, method="associative")
      >>> ys.shape, carry.inputs.shape
      ((7, 5, 4), (5, 2, 3))
    """

    hidden_size: int
    window: int = 2
    kernel_init: Initializer = LecunNormal()

    def parts(self) -> Iterator[Cell]:
        yield from (_Window(self.window), _Pooling(self.hidden_size))

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        rows = self.window * one_size(input_size, self)
        return input_params(self, key, rows, gates=3)

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> QRNNCarry:
        return QRNNCarry(*(p.initial_carry(ready, batch_shape) for p in self.parts()))

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        window, _ = self.parts()
        return window.project(ready, x, key=key)

    def recur(
        self, ready: PyTree, carry: QRNNCarry, z: Array
    ) -> tuple[QRNNCarry, Array]:
        window, pooling = self.parts()
        inputs, X = window.recur(ready, carry.inputs, z)
        cell, h = pooling.step(ready, carry.cell, X)
        return QRNNCarry(inputs, cell), h

    def over(
        self, ready: PyTree, carry: QRNNCarry, xs: Array, run: Any
    ) -> tuple[QRNNCarry, Array]:
        window, pooling = self.parts()
        inputs, Xs = run(window, ready, carry.inputs, xs, place=0)
        cell, hs = run(pooling, ready, carry.cell, Xs, place=1)
        return QRNNCarry(inputs, cell), hs

    def hidden(self, carry: QRNNCarry) -> Array:
        return carry.cell

    def with_hidden(self, carry: QRNNCarry, hidden: Array) -> QRNNCarry:
        return carry._replace(cell=hidden)


class _Window(LinearCell):
    """The last inputs side by side; an element is a number of steps, and theirs."""

    window: int

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> Array:
        size = ready["kernel"].shape[0] // self.window
        return zeros(ready, (*batch_shape, self.window, size))

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        return x.astype(gate_dtype(ready["kernel"].dtype))  # as what is carried

    def elements(self, ready: PyTree, z: Array) -> tuple[Array, Array]:
        newest = jnp.arange(self.window)[:, None] == self.window - 1
        inputs = jnp.where(newest, z[..., None, :], jnp.zeros((), z.dtype))
        return jnp.ones(z.shape[:-1], jnp.int32), inputs

    def combine(
        self, first: tuple[Array, Array], second: tuple[Array, Array]
    ) -> tuple[Array, Array]:
        (m, old), (n, new) = first, second
        places = jnp.arange(self.window, dtype=n.dtype)
        is_old = places < self.window - n[..., None]
        places += jnp.where(is_old, n[..., None], self.window)
        both = jnp.concatenate([old, new], axis=-2)
        inputs = jnp.take_along_axis(both, places[..., None], axis=-2)
        return jnp.minimum(m + n, self.window), inputs

    def apply(self, carry: Array, element: tuple[Array, Array]) -> Array:
        full = jnp.full(carry.shape[:-2], self.window, jnp.int32)
        return self.combine((full, carry), element)[1]

    def identity(self, elements: PyTree) -> PyTree:
        return jax.tree.map(jnp.zeros_like, elements)

    def readout(self, ready: PyTree, carry: Array, z: Array) -> Array:
        return carry.reshape(*carry.shape[:-2], -1)

    def recur(self, ready: PyTree, carry: Array, z: Array) -> tuple[Array, Array]:
        carry = jnp.concatenate([carry[..., 1:, :], z[..., None, :]], axis=-2)
        return carry, self.readout(ready, carry, z)


class _Pooling(LinearCell):
    """A QRNN whose input is its window."""

    hidden_size: int

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        return affine(x, ready["kernel"], ready["bias"])

    def elements(self, ready: PyTree, z: Array) -> tuple[Array, Array]:
        f, _, n = squash(z, "s", "s", "tanh")
        return f, (1 - f) * n

    def readout(self, ready: PyTree, carry: Array, z: Array) -> Array:
        _, o, _ = squash(z, "s", "s", "tanh")
        return o * carry
