"""Recurrent highways: several layers deep from one step to the next."""

import jax
import jax.numpy as jnp

from jaxrnn.cell import Cell
from jaxrnn.cells.gates import one_size, squash
from jaxrnn.initializers import Initializer, LecunNormal, Orthogonal, per_gate
from jaxrnn.product import affine, matmul
from jaxrnn.typing import Array, Key, PyTree, Size


class RHN(Cell):
    """Recurrent highway network: `depth` micro-steps a step.

    ::

      s_0 = h';  for l = 1 .. depth, W x in the first alone:
        u = tanh(W_u x + R_u^l s_(l-1) + b_u^l)
        t = s(W_t x + R_t^l s_(l-1) + b_t^l)               transform gate
        c = 1 - t, or s(W_c x + R_c^l s_(l-1) + b_c^l)     carry gate, where uncoupled
        s_l = u * t + s_(l-1) * c
      h = s_depth                                          the output

    The kernels' columns hold the blocks in the order u, t, c, micro-step after
    micro-step.

    Args:
      hidden_size: H; the parameters are `kernel` `[input_size, G*H]`,
        `recurrent_kernel` `[H, depth*G*H]` and `bias` `[depth*G*H]`, where G is 2, or 3
        for uncoupled gates.
      depth: the number of micro-steps.
      coupled: whether as much is carried on as is not transformed.
      transform_bias: b_t at the start: below 0, so that most is carried on.
      kernel_init: of each W.
      recurrent_init: of each R.

    References:
      Zilly, Srivastava, Koutník, Schmidhuber 2017, equations 6 to 9.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.RHN(4, depth=5)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> params["recurrent_kernel"].shape
      (4, 40)
      >>> jr.unroll(cell, params, jnp.ones((7, 2, 3)))[1].shape
      (7, 2, 4)
    """

    hidden_size: int
    depth: int = 3
    coupled: bool = True
    transform_bias: float = -2.0
    kernel_init: Initializer = LecunNormal()
    recurrent_init: Initializer = Orthogonal()

    input_kernel = ("kernel",)

    @property
    def _gates(self) -> tuple[str, ...]:
        return ("tanh", "s") if self.coupled else ("tanh", "s", "s")

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        W, U = jax.random.split(key)
        n, H, G = one_size(input_size, self), self.hidden_size, len(self._gates)
        dtype = self.param_dtype or jnp.float32
        draw = lambda init, key, n, G: per_gate(init, key, (n, H), gates=G, dtype=dtype)
        bias = jnp.zeros((self.depth, G, H), dtype)
        return {
            "kernel": draw(self.kernel_init, W, n, G),
            "recurrent_kernel": draw(self.recurrent_init, U, H, self.depth * G),
            "bias": bias.at[:, 1].set(self.transform_bias).reshape(-1),
        }

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        first, *_ = jnp.split(ready["bias"], self.depth)
        return affine(x, ready["kernel"], first)

    def recur(self, ready: PyTree, carry: Array, z: Array) -> tuple[Array, Array]:
        s, (_, *later) = carry, jnp.split(ready["bias"], self.depth)
        kernels = jnp.split(ready["recurrent_kernel"], self.depth, axis=-1)
        for addend, R in zip([z, *later], kernels, strict=True):
            u, t, *c = squash(addend + matmul(s, R), *self._gates)
            s = u * t + s * (1 - t if self.coupled else c[0])
        return s, s
