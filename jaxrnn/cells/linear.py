"""Linear recurrences of real numbers, each unit on its own."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import logit

from jaxrnn.cells.gates import one_size
from jaxrnn.initializers import Initializer, LecunNormal, per_gate
from jaxrnn.linear import LinearCell
from jaxrnn.product import affine, gate_dtype
from jaxrnn.typing import Array, Key, PyTree, Size


class DiagonalLinear(LinearCell):
    """A linear recurrence in which every unit decays at a rate of its own.

    ::

      a = s(decay)
      h = a * h' + W x + b                 the output

    Args:
      hidden_size: H; the parameters are `kernel` W `[input_size, H]`, `bias` b `[H]`
        and `decay` `[H]`.
      a_min, a_max: a ~ U(a_min, a_max) at the start, 0 < a_min < a_max < 1.
      kernel_init: of W.

    References:
      Martin, Cundy 2018.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.DiagonalLinear(4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> xs = jnp.ones((7, 2, 3))
      >>> carry, ys = jr.unroll(cell, params, xs, method="associative")
      >>> bool((ys[-1] == carry).all())
      True
    """

    hidden_size: int
    a_min: float = 0.5
    a_max: float = 0.999
    kernel_init: Initializer = LecunNormal()

    def __post_init__(self) -> None:
        within_one(a_min=self.a_min, a_max=self.a_max)
        super().__post_init__()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        kernel_key, decay_key = jax.random.split(key)
        params = input_params(self, kernel_key, one_size(input_size, self), gates=1)
        range_ = self.a_min, self.a_max
        decay = drawn(self, decay_key, self.hidden_size, range_, logit)
        return params | {"decay": decay}

    def prepare(self, params: PyTree, **given: Any) -> PyTree:
        ready = super().prepare(params, **given)
        return ready | {"decay": jax.nn.sigmoid(ready["decay"])}

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        return affine(x, ready["kernel"], ready["bias"])

    def elements(self, ready: PyTree, z: Array) -> tuple[Array, Array]:
        return jnp.expand_dims(ready["decay"], range(z.ndim - 1)), z


class MinGRU(LinearCell):
    """The minimal GRU: its gate sees the input alone.

    ::

      z = s(W_z x + b_z)                   update gate
      n = W_n x + b_n                      candidate
      h = (1 - z) * h' + z * n             the output

    The kernel's columns hold the blocks in the order z, n.

    Args:
      hidden_size: H; the parameters are `kernel` `[input_size, 2H]` and `bias` `[2H]`.
      kernel_init: of each block's W.

    References:
      Feng et al. 2024, section 3.1.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.MinGRU(4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> xs = jnp.ones((7, 2, 3))
      >>> carry, ys = jr.unroll(cell, params, xs, method="associative")
      >>> ys.shape
      (7, 2, 4)
    """

    hidden_size: int
    kernel_init: Initializer = LecunNormal()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        return input_params(self, key, one_size(input_size, self), gates=2)

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        return affine(x, ready["kernel"], ready["bias"])

    def elements(self, ready: PyTree, z: Array) -> tuple[Array, Array]:
        z, n = jnp.split(z, 2, axis=-1)
        z = jax.nn.sigmoid(z)
        return 1 - z, z * n


class MinLSTM(LinearCell):
    """The minimal LSTM: its gates see the input alone, and share what there is.

    ::

      f = s(W_f x + b_f)                   forget gate
      i = s(W_i x + b_i)                   input gate
      n = W_n x + b_n                      candidate
      h = f/(f+i) * h' + i/(f+i) * n       the output

    The kernel's columns hold the blocks in the order f, i, n.

    Args:
      hidden_size: H; the parameters are `kernel` `[input_size, 3H]` and `bias` `[3H]`.
      kernel_init: of each block's W.

    References:
      Feng et al. 2024, section 3.2.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.MinLSTM(4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> xs = jnp.ones((7, 2, 3))
      >>> carry, ys = jr.unroll(cell, params, xs, method="associative")
      >>> ys.shape
      (7, 2, 4)
    """

    hidden_size: int
    kernel_init: Initializer = LecunNormal()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        return input_params(self, key, one_size(input_size, self), gates=3)

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        return affine(x, ready["kernel"], ready["bias"])

    def elements(self, ready: PyTree, z: Array) -> tuple[Array, Array]:
        f, i, n = jnp.split(z, 3, axis=-1)
        # f/(f+i) = s(log f - log i), also where both gates are closed.
        odds = jax.nn.log_sigmoid(f) - jax.nn.log_sigmoid(i)
        return jax.nn.sigmoid(odds), jax.nn.sigmoid(-odds) * n


def input_params(
    cell: Any, key: Key, rows: int, *, gates: int, biases: int | None = None
) -> PyTree:
    """Kernels of `gates` blocks side by side, and biases, for a cell without a U.

    Args:
      cell: has `hidden_size` H, `kernel_init` and `param_dtype`.
      key: randomness.
      rows: n, what the kernel reads.
      gates: G.
      biases: how many blocks have one; None: G.

    Returns:
      `kernel` `[n, G*H]` and `bias` `[biases*H]`, of zeros.
    """
    H, dtype = cell.hidden_size, cell.param_dtype or jnp.float32
    return {
        "kernel": per_gate(cell.kernel_init, key, (rows, H), gates=gates, dtype=dtype),
        "bias": jnp.zeros((biases or gates) * H, dtype),
    }


def drawn(
    cell: Any,
    key: Key,
    size: int,
    range_: tuple[float, float],
    change: Callable[[Array], PyTree],
) -> PyTree:
    """`change(u)`, u ~ U(range_): in float32 at least, for near 1 a half is coarse."""
    dtype = cell.param_dtype or jnp.float32
    u = jax.random.uniform(key, (size,), gate_dtype(dtype), *range_)
    return jax.tree.map(lambda a: a.astype(dtype), change(u))


def within_one(**ends: float) -> None:
    """Raise unless the two named numbers are in order, between 0 and 1."""
    (low, least), (high, most) = ends.items()
    if not 0 < least < most < 1:
        raise ValueError(
            f"`{low}` and `{high}` must be such that 0 < {low} < {high} < 1, "
            f"got {least} and {most}"
        )
