"""Gated recurrent units, with the reset before or after the recurrent product."""

from typing import Any, ClassVar

import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.activations import Activation, activation
from jaxrnn.cell import Cell
from jaxrnn.cells.gates import gate_params, one_bias, squash
from jaxrnn.cells.norm import norm, norm_affine, norm_params
from jaxrnn.initializers import Initializer, LecunNormal, Orthogonal, Zeros
from jaxrnn.product import matmul
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

    The kernels' columns hold the gates in the order z, r, n. With layer normalisation,
    LN, every product A is LN(A): those of z and r together, those of n apart.

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
      bias_init: of the biases.
      layer_norm: whether to normalise; the scales are `kernel_scale` `[3H]`,
        `recurrent_scale` `[2H]` of z and r, and `candidate_scale` `[H]` of U_n.
      activation: in the place of tanh.
      gate_activation: in the place of s.
      recurrent_bias: whether every gate has two biases, as in torch, cuDNN and Keras,
        so that the optimiser moves both; `recurrent_bias` is then `[3H]`.

    References:
      Cho et al. 2014, equations 5 to 8; lectures 000, 001, 004.
      Layer normalisation: Ba, Kiros, Hinton 2016, supplementary material.

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
    bias_init: Initializer = Zeros()
    layer_norm: bool = False
    activation: Activation = "tanh"
    gate_activation: Activation = "sigmoid"
    recurrent_bias: bool = False

    gates: ClassVar[str] = "zrn"
    """The gates in the order of the kernels' columns, a letter each."""

    def __post_init__(self) -> None:
        checks.one_of(("before", "after"), reset=self.reset)
        checks.one_of(("keep", "replace"), update=self.update)
        for function in (self.activation, self.gate_activation):
            activation(function)
        super().__post_init__()

    @property
    def input_kernel(self) -> Any:  # type: ignore[override]
        return None if self.layer_norm else ("kernel",)

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        more = 3 if self.recurrent_bias else int(self.reset == "after")
        params = gate_params(self, key, input_size, gates=3, biases=3 + more)
        params |= norm_params(
            self, kernel_scale=3, recurrent_scale=2, candidate_scale=1
        )
        if more:
            params["recurrent_bias"] = params["bias"][3:].reshape(-1)
        return params | {"bias": params["bias"][:3].reshape(-1)}

    def prepare(self, params: PyTree, **options: Any) -> PyTree:
        ready = super().prepare(params, **options)
        if not self.recurrent_bias:
            return ready
        if self.reset == "before":
            return one_bias(ready)
        # That of z and r joins the other; that of n waits for the reset.
        H = self.hidden_size
        b_zr, b_u = jnp.split(ready["recurrent_bias"], [2 * H])
        bias = ready["bias"] + jnp.pad(b_zr, (0, H))
        return ready | {"bias": bias, "recurrent_bias": b_u}

    def project(
        self, ready: PyTree, x: Array, *, key: Key | None = None
    ) -> list[Array]:
        H = self.hidden_size
        z = norm_affine(self, ready, x, 2 * H, H)
        return jnp.split(z, [2 * H], axis=-1)

    def recur(self, ready: PyTree, carry: Array, z: list[Array]) -> tuple[Array, Array]:
        (gates, n), U, H = z, ready["recurrent_kernel"], self.hidden_size
        if self.reset == "before":
            U, U_n = jnp.split(U, [2 * H], axis=-1)
            product = matmul(carry, U)
        else:  # one product for all three
            product, u = jnp.split(matmul(carry, U), [2 * H], axis=-1)
        product = norm(self, ready, product, "recurrent_scale")
        s = self.gate_activation
        z_gate, r = squash(gates + product, s, s, stand=self.reset == "after")
        if self.reset == "before":
            n += norm(self, ready, matmul(r * carry, U_n), "candidate_scale")
        else:
            u = norm(self, ready, u, "candidate_scale")
            n += r * (u + ready["recurrent_bias"])
        n = activation(self.activation)(n)
        old, new = (carry, n) if self.update == "keep" else (n, carry)
        h = z_gate * old + (1 - z_gate) * new
        return h, h
