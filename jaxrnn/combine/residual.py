"""Inputs that pass a cell by."""

from typing import Any

from jaxrnn.typing import Array, Key, PyTree, Size
from jaxrnn.wrapper import Wrapper


class Residual(Wrapper):
    """A cell to whose outputs its inputs are added.

    ::

      y = x + cell(x)

    Args:
      cell: any cell whose outputs have the size of its inputs, a stack or both
        directions too.

    References:
      He et al. 2016; lecture 001 ("similar to ResNet").

    Example:
      >>> import jax, jax.numpy as jnp, jaxrnn as jr
      >>> deep = jr.Stack(*[jr.Residual(jr.LSTM(4))] * 3)
      >>> params = deep.init(jax.random.key(0), 4)
      >>> jr.unroll(deep, params, jnp.ones((7, 2, 4)))[1].shape
      (7, 2, 4)
    """

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        params = super().init(key, input_size)
        self.output_size(input_size)  # raises if it is another
        return params

    def output_size(self, input_size: Size | None) -> Size:
        size = super().output_size(input_size)
        if size != input_size:
            raise ValueError(
                f"`{type(self).__name__}` needs a cell whose outputs have the size of "
                f"its inputs, {input_size}, got {size} from {self.cell}"
            )
        return size

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> PyTree:
        return self.bypass(ready, x), super().project(ready, x, key=key)

    def recur(self, ready: PyTree, carry: PyTree, z: PyTree) -> tuple[PyTree, Array]:
        past_cell, z = z
        carry, y = super().recur(ready, carry, z)
        return carry, self.join(self.cell.cast_output(y), past_cell)

    def over(
        self, ready: PyTree, carry: PyTree, xs: Array, run: Any
    ) -> tuple[PyTree, Array]:
        carry, ys = super().over(ready, carry, xs, run)
        return carry, self.join(ys, self.bypass(ready, xs))

    def bypass(self, ready: PyTree, x: Array) -> PyTree:
        """What goes past the cell, of any number of steps."""
        return x

    def join(self, y: Array, past_cell: PyTree) -> Array:
        """The cell's output together with what went past the cell."""
        return y + past_cell.astype(y.dtype)
