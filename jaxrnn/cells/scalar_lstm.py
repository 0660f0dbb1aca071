"""The LSTM with exponential gates and scalar memory: sLSTM, of xLSTM."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.cell import Cell
from jaxrnn.cells.gates import one_size, squash
from jaxrnn.initializers import Initializer, LecunNormal, Orthogonal, per_gate
from jaxrnn.product import affine, matmul, zeros
from jaxrnn.typing import Array, Key, PyTree, Shape, Size

# Where nothing is remembered, the stored n is at least exp(-_RISE), and f at most 1.
_RISE = 40.0


class ScalarLSTMCarry(NamedTuple):
    """What a `ScalarLSTM` hands the next step, `[*batch, hidden_size]` each.

    Attributes:
      hidden: h.
      cell: c / exp(m).
      normaliser: n / exp(m).
      stabiliser: m.
    """

    hidden: Array
    cell: Array
    normaliser: Array
    stabiliser: Array


class ScalarLSTM(Cell):
    """The LSTM with exponential input gates, sLSTM.

    ::

      i = exp(W_i x + U_i h' + b_i)        input gate
      f = s(W_f x + U_f h' + b_f)          forget gate
      o = s(W_o x + U_o h' + b_o)          output gate
      z = tanh(W_z x + U_z h' + b_z)       candidate
      c = f * c' + i * z
      n = f * n' + i                       the weights that c has summed
      h = o * c / n                        the output

    The exponentials may be of any size, so the carry holds c / exp(m) and n / exp(m),
    m = max(log f + m', log i). The output does not depend on m: where nothing is
    remembered yet, n' = 0, m' may be any number, and is at most 40 + log i - log f.

    The kernels' columns hold the gates in the order i, f, o, z; each head reads its own
    part of h' alone.

    Args:
      hidden_size: H, a multiple of `heads`; the parameters are `kernel`
        `[input_size, 4H]`, `recurrent_kernel` `[heads, H / heads, 4H / heads]` and
        `bias` `[4H]`.
      heads: the parts of h that do not read each other.
      forget_bias: b_f at the start.
      kernel_init: of each gate's W.
      recurrent_init: of each gate's U, head by head.

    Raises:
      ValueError: if `hidden_size` is no multiple of `heads`.

    References:
      Beck et al. 2024, "xLSTM", equations 8 to 18.

    Example:
      >>> import jax, jaxrnn as jr
      >>> cell = jr.ScalarLSTM(4, heads=2)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> carry, ys = jr.unroll(cell, params, jnp.ones((7, 2, 3)))
      >>> ys.shape, params["recurrent_kernel"].shape
      ((7, 2, 4), (2, 2, 8))
    """

    hidden_size: int
    heads: int = 1
    forget_bias: float = 1.0
    kernel_init: Initializer = LecunNormal()
    recurrent_init: Initializer = Orthogonal()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden_size % self.heads:
            raise ValueError(
                f"`hidden_size` must be a multiple of `heads` = {self.heads}, "
                f"got {self.hidden_size}"
            )

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        kernel_key, *head_keys = jax.random.split(key, 1 + self.heads)
        n, H, dtype = one_size(input_size, self), self.hidden_size, self.param_dtype
        draw = lambda init, key, *shape: per_gate(
            init, key, shape, gates=4, dtype=dtype
        )
        d = H // self.heads
        heads = [draw(self.recurrent_init, head, d, d) for head in head_keys]
        bias = jnp.zeros((4, H), dtype or jnp.float32).at[1].set(self.forget_bias)
        return {
            "kernel": draw(self.kernel_init, kernel_key, n, H),
            "recurrent_kernel": jnp.stack(heads),
            "bias": bias.reshape(-1),
        }

    def prepare(self, params: PyTree, **given: Any) -> PyTree:
        ready = super().prepare(params, **given)
        return ready | {"recurrent_kernel": _one_matrix(ready["recurrent_kernel"])}

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> ScalarLSTMCarry:
        start = zeros(ready, (*batch_shape, self.hidden_size))
        return ScalarLSTMCarry(start, start, start, start)

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        return affine(x, ready["kernel"], ready["bias"])

    def recur(
        self, ready: PyTree, carry: ScalarLSTMCarry, z: Array
    ) -> tuple[ScalarLSTMCarry, Array]:
        gates = z + matmul(carry.hidden, ready["recurrent_kernel"])
        log_i, f, *rest = jnp.split(gates, 4, axis=-1)
        o, z = squash(jnp.concatenate(rest, axis=-1), "s", "tanh")
        kept = jax.nn.log_sigmoid(f) + carry.stabiliser
        empty = carry.normaliser == 0
        kept = jnp.where(empty, jnp.minimum(kept, log_i + _RISE), kept)
        m = jnp.maximum(kept, log_i)
        f, i = jnp.exp(kept - m), jnp.exp(log_i - m)
        c = f * carry.cell + i * z
        n = f * carry.normaliser + i
        h = o * c / n
        return ScalarLSTMCarry(h, c, n, m), h


def _one_matrix(kernel: Array) -> Array:
    """All heads' kernels in one, zero between heads, so that a step has one product.

    Args:
      kernel: `[heads, d, 4*d]`, a head's columns gate by gate.

    Returns:
      `[heads*d, 4*heads*d]`, gate by gate, and in each head by head.

    Example:
      >>> _one_matrix(jnp.array([[[1, 2, 3, 4]], [[5, 6, 7, 8]]])).tolist()
      [[1, 0, 2, 0, 3, 0, 4, 0], [0, 5, 0, 6, 0, 7, 0, 8]]
    """
    heads, d, _ = kernel.shape
    rows = kernel.reshape(heads, d, 4, 1, d)
    own = jnp.eye(heads, dtype=kernel.dtype).reshape(heads, 1, 1, heads, 1)
    return (rows * own).reshape(heads * d, 4 * heads * d)
