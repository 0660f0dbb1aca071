"""Gated recurrent units, with the reset before or after the recurrent product."""

import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.cell import Cell
from jaxrnn.cells.gates import gate_params, squash
from jaxrnn.initializers import Initializer, LecunNormal, Orthogonal
from jaxrnn.product import affine, matmul
from jaxrnn.typing import Array, Key, PyTree, Size


class GRU(Cell):
    """Gated recurrent unit.

    ::

      z = s(W_z x + U_z h' + b_z)                      update gate
      r = s(W_r x + U_r h' + b_r)                      reset gate
      n = tanh(W_n x + U_n (r * h') + b_n)             reset="before" (Cho 2014)
      n = tanh(W_n x + r * (U_n h' + b_u) + b_n)       reset="after" (cuDNN, torch)
      h = z * h' + (1 - z) * n                         update="keep": keeps the old
      h = (1 - z) * h' + z * n                         update="replace": lets in the new

    The kernels' columns hold the gates in the order z, r, n.

    Args:
      hidden_size: H; the parameters are `kernel` `[input_size, 3H]`,
        `recurrent_kernel` `[H, 3H]`, `bias` `[3H]`, and b_u as `recurrent_bias` `[H]`
        where the reset comes after.
      reset: "before" or "after" the recurrent product. After costs one product a step
        instead of two in a row.
      update: what the update gate does, "keep" (Cho 2014, torch, Keras; lecture 001) or
        "replace" (lectures 000 and 004).
      kernel_init: of each gate's W.
      recurrent_init: of each gate's U.

    References:
      Cho et al. 2014, equations 5 to 8; lectures 000, 001, 004.

    Example:
      >>> import jax, jaxrnn as jr
      >>> cell = jr.GRU(4, reset="after")
      >>> params = cell.init(jax.random.key(0), 3)
      >>> carry, ys = jr.unroll(cell, params, jnp.ones((7, 2, 3)))
      >>> carry.shape
      (2, 4)
    """

    hidden_size: int
    reset: str = "before"
    update: str = "keep"
    kernel_init: Initializer = LecunNormal()
    recurrent_init: Initializer = Orthogonal()

    def __post_init__(self) -> None:
        checks.one_of(("before", "after"), reset=self.reset)
        checks.one_of(("keep", "replace"), update=self.update)
        super().__post_init__()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        params = gate_params(self, key, input_size, gates=3)
        if self.reset == "after":
            params["recurrent_bias"] = jnp.zeros_like(params["bias"][2])
        return params | {"bias": params["bias"].reshape(-1)}

    def project(
        self, ready: PyTree, x: Array, *, key: Key | None = None
    ) -> list[Array]:
        z = affine(x, ready["kernel"], ready["bias"])
        return jnp.split(z, [2 * self.hidden_size], axis=-1)

    def recur(self, ready: PyTree, carry: Array, z: list[Array]) -> tuple[Array, Array]:
        gates, n = z
        U, U_n = jnp.split(ready["recurrent_kernel"], [2 * self.hidden_size], axis=-1)
        z_gate, r = squash(gates + matmul(carry, U), "s", "s")
        if self.reset == "before":
            n = jnp.tanh(n + matmul(r * carry, U_n))
        else:
            n = jnp.tanh(n + r * (matmul(carry, U_n) + ready["recurrent_bias"]))
        old, new = (carry, n) if self.update == "keep" else (n, carry)
        h = z_gate * old + (1 - z_gate) * new
        return h, h
