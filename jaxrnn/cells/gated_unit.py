"""Units with a single gate."""

from typing import ClassVar

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.activations import Activation, activation
from jaxrnn.cell import Cell
from jaxrnn.cells.gates import gate_params, squash
from jaxrnn.initializers import Initializer, LecunNormal, Orthogonal
from jaxrnn.product import affine, matmul
from jaxrnn.typing import Array, Key, PyTree, Size


class BasicGatedUnit(Cell):
    """A vanilla network whose update is gated.

    ::

      u = s(W_u x + U_u h' + b_u)          update gate
      n = g(W_n x + U_n h' + b_n)          candidate
      h = u * n + (1 - u) * h'             the output

    The kernels' columns hold the blocks in the order u, n.

    Args:
      hidden_size: H; the parameters are `kernel` `[input_size, 2H]`,
        `recurrent_kernel` `[H, 2H]` and `bias` `[2H]`.
      activation: g, a name or a function, as of `Elman`.
      kernel_init: of each block's W.
      recurrent_init: of each block's U.

    References:
      Lecture 004.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.BasicGatedUnit(4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> carry, ys = jr.unroll(cell, params, jnp.ones((7, 2, 3)))
      >>> ys.shape
      (7, 2, 4)
    """

    hidden_size: int
    activation: Activation = "tanh"
    kernel_init: Initializer = LecunNormal()
    recurrent_init: Initializer = Orthogonal()

    input_kernel = ("kernel",)

    def __post_init__(self) -> None:
        activation(self.activation)
        super().__post_init__()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        params = gate_params(self, key, input_size, gates=2)
        return params | {"bias": params["bias"].reshape(-1)}

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        return affine(x, ready["kernel"], ready["bias"])

    def recur(self, ready: PyTree, carry: Array, z: Array) -> tuple[Array, Array]:
        a = z + matmul(carry, ready["recurrent_kernel"])
        u, n = squash(a, "s", self.activation)
        h = u * n + (1 - u) * carry
        return h, h


class MGU(Cell):
    """Minimal gated unit: a `GRU` whose one gate both updates and resets.

    ::

      f = s(W_f x + U_f h' + b_f)                    forget gate
      n = tanh(W_n x + U_n (f * h') + b_n)           reset="before"
      n = tanh(W_n x + f * (U_n h' + b_u) + b_n)     reset="after"
      h = f * n + (1 - f) * h'                       update="replace"
      h = f * h' + (1 - f) * n                       update="keep"

    The kernels' columns hold the blocks in the order f, n.

    Args:
      hidden_size: H; the parameters are `kernel` `[input_size, 2H]`,
        `recurrent_kernel` `[H, 2H]`, `bias` `[2H]`, and b_u as `recurrent_bias` `[H]`
        where the reset comes after.
      reset: "before" or "after" the recurrent product, as of `GRU`.
      update: what the gate does to the candidate: "replace" lets it in (Zhou 2016),
        "keep" keeps the old (Flax).
      kernel_init: of each block's W.
      recurrent_init: of each block's U.

    References:
      Zhou, Wu, Zhang, Zhou 2016.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.MGU(4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> carry, ys = jr.unroll(cell, params, jnp.ones((7, 2, 3)))
      >>> bool((ys[-1] == carry).all())
      True
    """

    hidden_size: int
    reset: str = "before"
    update: str = "replace"
    kernel_init: Initializer = LecunNormal()
    recurrent_init: Initializer = Orthogonal()

    input_kernel = ("kernel",)

    gates: ClassVar[str] = "fn"

    def __post_init__(self) -> None:
        checks.one_of(("before", "after"), reset=self.reset)
        checks.one_of(("keep", "replace"), update=self.update)
        super().__post_init__()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        after = self.reset == "after"
        params = gate_params(self, key, input_size, gates=2, biases=2 + after)
        if after:
            params["recurrent_bias"] = params["bias"][2]
        return params | {"bias": params["bias"][:2].reshape(-1)}

    def project(
        self, ready: PyTree, x: Array, *, key: Key | None = None
    ) -> list[Array]:
        return jnp.split(affine(x, ready["kernel"], ready["bias"]), 2, axis=-1)

    def recur(self, ready: PyTree, carry: Array, z: list[Array]) -> tuple[Array, Array]:
        (f, n), U = z, ready["recurrent_kernel"]
        if self.reset == "before":
            U_f, U_n = jnp.split(U, 2, axis=-1)
            f = jax.nn.sigmoid(f + matmul(carry, U_f))
            n = jnp.tanh(n + matmul(f * carry, U_n))
        else:  # one product for both
            product, u = jnp.split(matmul(carry, U), 2, axis=-1)
            f = jax.nn.sigmoid(f + product)
            n = jnp.tanh(n + f * (u + ready["recurrent_bias"]))
        new, old = (n, carry) if self.update == "replace" else (carry, n)
        h = f * new + (1 - f) * old
        return h, h
