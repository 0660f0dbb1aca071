"""The recurrent network whose memory is its last output."""

import jax
import jax.numpy as jnp

from jaxrnn.activations import Activation, activation
from jaxrnn.cell import Cell
from jaxrnn.cells.gates import gate_params
from jaxrnn.checks import inside
from jaxrnn.initializers import Initializer, LecunNormal, Orthogonal
from jaxrnn.product import affine, matmul, zeros
from jaxrnn.typing import Array, Key, PyTree, Shape, Size


class Jordan(Cell):
    """A recurrent network that feeds back nothing but its output.

    ::

      h = f(W x + R y' + b)
      y = g(V h + c)

    Where the right outputs are known, in training, it needs no recurrence at all: see
    `forced`. `jaxrnn.unroll` lets it run freely.

    Args:
      hidden_size: H; the parameters are `kernel` W `[input_size, H]`,
        `recurrent_kernel` R `[size, H]`, `bias` b `[H]`, `output_kernel` V `[H, size]`
        and `output_bias` c `[size]`.
      size: of the output y, which is the carry.
      activation: f, by name or a function at the top level of a module.
      output_activation: g, likewise.
      kernel_init: of W and V.
      recurrent_init: of R.

    References:
      Jordan 1986; lecture 002 ("use the output at the previous step").

    Example:
      >>> import jax, jaxrnn as jr
      >>> cell = jr.Jordan(5, 4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> carry, ys = jr.unroll(cell, params, jnp.ones((7, 2, 3)))
      >>> bool((ys[-1] == carry).all())
      True
    """

    hidden_size: int
    size: int
    activation: Activation = "tanh"
    output_activation: Activation = "identity"
    kernel_init: Initializer = LecunNormal()
    recurrent_init: Initializer = Orthogonal()

    input_kernel = ("kernel",)

    def __post_init__(self) -> None:
        activation(self.activation)
        with inside("output_activation"):
            activation(self.output_activation)
        super().__post_init__()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        key, output_key = jax.random.split(key)
        params = gate_params(self, key, input_size, gates=1, rows=self.size)
        dtype, shape = params["bias"].dtype, (self.hidden_size, self.size)
        return params | {
            "bias": params["bias"].reshape(-1),
            "output_kernel": self.kernel_init(output_key, shape, dtype),
            "output_bias": jnp.zeros(self.size, dtype),
        }

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> Array:
        return zeros(ready, (*batch_shape, self.size))

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        return affine(x, ready["kernel"], ready["bias"])

    def recur(self, ready: PyTree, carry: Array, z: Array) -> tuple[Array, Array]:
        h = activation(self.activation)(z + matmul(carry, ready["recurrent_kernel"]))
        y = affine(h, ready["output_kernel"], ready["output_bias"])
        y = activation(self.output_activation)(y)
        return y, y

    def forced(self, ready: PyTree, x: Array, previous: Array) -> Array:
        """The outputs of all steps at once, each from the right output before it.

        Args:
          ready: what `prepare` returned.
          x: inputs, `[..., input_size]`, of any number of steps and rows.
          previous: y', `[..., size]`: the targets a step later, zeros before the first.

        Returns:
          `[..., size]`; where `previous` are the cell's own outputs, those of `unroll`.

        Raises:
          ValueError: if `previous` does not fit `x` and `size`.

        References:
          Teacher forcing: Williams, Zipser 1989.

        Example:
          >>> import jax, jaxrnn as jr
          >>> cell = jr.Jordan(5, 4)
          >>> ready = cell.prepare(cell.init(jax.random.key(0), 3))
          >>> targets = jnp.ones((7, 2, 4))
          >>> previous = jnp.concatenate([jnp.zeros((1, 2, 4)), targets[:-1]])
          >>> cell.forced(ready, jnp.ones((7, 2, 3)), previous).shape
          (7, 2, 4)
        """
        shape = (*x.shape[:-1], self.size)
        if previous.shape != shape:
            got = previous.shape
            raise ValueError(f"`previous` must have shape {shape}, got {got}")
        _, y = self.recur(ready, previous, self.project(ready, x))
        return self.cast_output(y)
