"""Cells whose state is an image: their products are convolutions."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.cell import Cell
from jaxrnn.cells.gates import squash
from jaxrnn.cells.lstm import LSTMCarry
from jaxrnn.initializers import Initializer, LecunNormal, Orthogonal, per_gate
from jaxrnn.product import matmul, zeros
from jaxrnn.typing import Array, Key, PyTree, Shape, Size


class _Convolutional(Cell):
    """What both cells share: the window, and the first carry."""

    channels: int
    window: tuple[int, ...] = (3, 3)

    def __post_init__(self) -> None:
        if not isinstance(self.window, tuple) or not self.window:
            raise TypeError(
                "`window` must be a tuple of sizes, one for each axis of space, "
                f"got {self.window!r}"
            )
        for size in self.window:
            checks.positive(window=size)
        super().__post_init__()

    @property
    def input_ndim(self) -> Any:  # type: ignore[override]
        return len(self.window) + 1

    def prepare(
        self, params: PyTree, *, input_shape: Shape | None = None, **given: Any
    ) -> PyTree:
        ready = super().prepare(params, input_shape=input_shape, **given)
        if input_shape is None:
            return ready
        # An array for its shape: what `initial_carry` must know, and a step need not.
        return ready | {"space": jnp.zeros(input_shape[-self.input_ndim : -1], bool)}

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> PyTree:
        if "space" not in ready:
            raise ValueError(
                f"`initial_carry` of {type(self).__name__} needs the size of space: "
                "give the shape of one step's input to `prepare`, as "
                "`prepare(params, input_shape=x.shape)`"
            )
        return zeros(ready, (*batch_shape, *ready["space"].shape, self.channels))

    def _convolve(self, x: Array, kernel: Array) -> Array:
        features = len(kernel) // math.prod(self.window)
        if x.shape[-1] != features:
            raise ValueError(
                f"`x` must have {features} features in its last axis, "
                f"got shape {x.shape}"
            )
        return matmul(patches(x, self.window), kernel)


class ConvLSTM(_Convolutional):
    """An `LSTM` of images: its products, written `.`, are convolutions.

    ::

      i = s(W_i . x + U_i . h' + b_i)          input gate
      f = s(W_f . x + U_f . h' + b_f)          forget gate
      o = s(W_o . x + U_o . h' + b_o)          output gate
      g = tanh(W_g . x + U_g . h' + b_g)       candidate
      c = f * c' + i * g
      h = o * tanh(c)                          the output

    x is `[*batch, *space, n]`, of one, two or three axes of space, as many as the
    window has; h and c are `[*batch, *space, channels]`, for space is padded with
    zeros: (w - 1) // 2 before it, w // 2 behind it. A convolution is the product of
    `patches` with a kernel, whose columns hold the gates in the order i, f, o, g.

    `input_size` is (*space, n), and the sizes of space are not in the parameters: they
    work on images of any size.

    Args:
      channels: C; the parameters are `kernel` `[prod(window) * n, 4C]`,
        `recurrent_kernel` `[prod(window) * C, 4C]` and `bias` `[4C]`.
      window: its size along each axis of space.
      forget_bias: b_f at the start.
      kernel_init: of each gate's W.
      recurrent_init: of each gate's U.

    References:
      Shi et al. 2015, equation 3, without peepholes.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.ConvLSTM(4, window=(3, 5))
      >>> params = cell.init(jax.random.key(0), (16, 12, 1))
      >>> jr.unroll(cell, params, jnp.ones((7, 2, 16, 12, 1)))[1].shape
      (7, 2, 16, 12, 4)
    """

    forget_bias: float = 1.0
    kernel_init: Initializer = LecunNormal()
    recurrent_init: Initializer = Orthogonal()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        params = _params(self, key, input_size, gates=4)
        return params | {"bias": params["bias"].at[1].set(self.forget_bias).reshape(-1)}

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> LSTMCarry:
        start = super().initial_carry(ready, batch_shape)
        return LSTMCarry(hidden=start, cell=start)

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        return self._convolve(x, ready["kernel"]) + ready["bias"]

    def recur(
        self, ready: PyTree, carry: LSTMCarry, z: Array
    ) -> tuple[LSTMCarry, Array]:
        gates = z + self._convolve(carry.hidden, ready["recurrent_kernel"])
        i, f, o, g = squash(gates, "s", "s", "s", "tanh")
        c = f * carry.cell + i * g
        h = o * jnp.tanh(c)
        return LSTMCarry(hidden=h, cell=c), h


class ConvGRU(_Convolutional):
    """A `GRU` of images: its products, written `.`, are convolutions.

    ::

      z = s(W_z . x + U_z . h' + b_z)                      update gate
      r = s(W_r . x + U_r . h' + b_r)                      reset gate
      n = tanh(W_n . x + U_n . (r * h') + b_n)             reset="before"
      n = tanh(W_n . x + r * (U_n . h' + b_u) + b_n)       reset="after"
      h = z * h' + (1 - z) * n                             the output

    Shapes are those of `ConvLSTM`; the kernels' columns hold the gates in the order
    z, r, n.

    Args:
      channels: C; the parameters are `kernel` `[prod(window) * n, 3C]`,
        `recurrent_kernel` `[prod(window) * C, 3C]`, `bias` `[3C]`, and b_u as
        `recurrent_bias` `[C]` where the reset comes after.
      window: its size along each axis of space.
      reset: "before" or "after" the recurrent convolution. After costs one product a
        step instead of two in a row.
      kernel_init: of each gate's W.
      recurrent_init: of each gate's U.

    References:
      Ballas, Yao, Pal, Courville 2016; convolutions as of Shi et al. 2015.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.ConvGRU(4, window=(5,))
      >>> params = cell.init(jax.random.key(0), (16, 1))
      >>> jr.unroll(cell, params, jnp.ones((7, 2, 16, 1)))[1].shape
      (7, 2, 16, 4)
    """

    reset: str = "before"
    kernel_init: Initializer = LecunNormal()
    recurrent_init: Initializer = Orthogonal()

    def __post_init__(self) -> None:
        checks.one_of(("before", "after"), reset=self.reset)
        super().__post_init__()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        params = _params(self, key, input_size, gates=3)
        if self.reset == "after":
            params["recurrent_bias"] = jnp.zeros_like(params["bias"][2])
        return params | {"bias": params["bias"].reshape(-1)}

    def project(
        self, ready: PyTree, x: Array, *, key: Key | None = None
    ) -> list[Array]:
        z = self._convolve(x, ready["kernel"]) + ready["bias"]
        return jnp.split(z, [2 * self.channels], axis=-1)

    def recur(self, ready: PyTree, carry: Array, z: list[Array]) -> tuple[Array, Array]:
        (gates, n), U, C = z, ready["recurrent_kernel"], self.channels
        if self.reset == "before":
            U, U_n = jnp.split(U, [2 * C], axis=-1)
            update, r = squash(gates + self._convolve(carry, U), "s", "s")
            n = n + self._convolve(r * carry, U_n)
        else:  # one product for all three
            product, u = jnp.split(self._convolve(carry, U), [2 * C], axis=-1)
            update, r = squash(gates + product, "s", "s")
            n = n + r * (u + ready["recurrent_bias"])
        h = update * carry + (1 - update) * jnp.tanh(n)
        return h, h


def _params(cell: Any, key: Key, input_size: Size | None, *, gates: int) -> PyTree:
    """As of `gate_params`, of a cell that has `window` and `channels`."""
    sizes = input_size if isinstance(input_size, tuple) else ()
    if len(sizes) != cell.input_ndim or min(sizes) < 1:
        raise ValueError(
            f"`input_size` of {type(cell).__name__} must be (*space, features), space "
            f"of as many axes as `window` {cell.window} has, got {input_size!r}"
        )
    C, dtype = cell.channels, cell.param_dtype or jnp.float32

    def draw(init: Initializer, key: Key, n: int) -> Array:
        shape = (math.prod(cell.window) * n, C)
        return per_gate(init, key, shape, gates=gates, dtype=dtype)

    W, U = jax.random.split(key)
    return {
        "kernel": draw(cell.kernel_init, W, sizes[-1]),
        "recurrent_kernel": draw(cell.recurrent_init, U, C),
        "bias": jnp.zeros((gates, C), dtype),
    }


def patches(x: Array, window: tuple[int, ...]) -> Array:
    """What the window sees at every place, zeros outside of space.

    Args:
      x: `[..., *space, n]`.
      window: w, its size along each axis of space; it reaches (w - 1) // 2 places back
        and w // 2 ahead.

    Returns:
      `[..., *space, prod(window) * n]`: the window's positions in row-major order, the
      n features of each side by side.

    Example:
      >>> patches(jnp.array([[1], [2], [3]]), (3,)).tolist()
      [[0, 1, 2], [1, 2, 3], [2, 3, 0]]
    """
    for back, w in enumerate(reversed(window)):
        axis = x.ndim - 2 - back
        around = [(0, 0)] * x.ndim
        around[axis] = ((w - 1) // 2, w // 2)
        padded, size = jnp.pad(x, around), x.shape[axis]
        seen = [jax.lax.slice_in_dim(padded, k, k + size, axis=axis) for k in range(w)]
        x = jnp.concatenate(seen, axis=-1)
    return x
