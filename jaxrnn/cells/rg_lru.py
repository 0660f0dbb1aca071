"""The real-gated linear recurrent unit."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cells.gates import one_size
from jaxrnn.cells.linear import drawn, input_params, within_one
from jaxrnn.initializers import Initializer, LecunNormal
from jaxrnn.linear import LinearCell
from jaxrnn.product import affine
from jaxrnn.typing import Array, Key, PyTree, Size

_SHARPNESS = 8.0  # the paper's c


class RGLRU(LinearCell):
    """The real-gated linear recurrent unit, with the projection of its input.

    ::

      r = s(W_r x + b_r)                   recurrence gate
      i = s(W_i x + b_i)                   input gate
      n = W_x x + b_x
      a = exp(-8 softplus(decay) * r)
      h = a * h' + sqrt(1 - a^2) * (i * n) the output

    The kernel's columns hold the blocks in the order r, i, x.

    Args:
      hidden_size: H; the parameters are `kernel` `[input_size, 3H]`, `bias` `[3H]` and
        `decay` `[H]`.
      a_min, a_max: a of an open gate, r = 1, is U(a_min, a_max) at the start,
        0 < a_min < a_max < 1.
      kernel_init: of each block's W.

    References:
      De et al. 2024 (Griffin), equations 1 to 4.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.RGLRU(4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> xs = jnp.ones((7, 2, 3))
      >>> carry, ys = jr.unroll(cell, params, xs, method="associative")
      >>> ys.shape
      (7, 2, 4)
    """

    hidden_size: int
    a_min: float = 0.9
    a_max: float = 0.999
    kernel_init: Initializer = LecunNormal()

    def __post_init__(self) -> None:
        within_one(a_min=self.a_min, a_max=self.a_max)
        super().__post_init__()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        kernel_key, decay_key = jax.random.split(key)
        params = input_params(self, kernel_key, one_size(input_size, self), gates=3)
        inverse = lambda a: jnp.log(jnp.expm1(-jnp.log(a) / _SHARPNESS))
        range_ = self.a_min, self.a_max
        decay = drawn(self, decay_key, self.hidden_size, range_, inverse)
        return params | {"decay": decay}

    def prepare(self, params: PyTree, **given: Any) -> PyTree:
        ready = super().prepare(params, **given)
        return ready | {"decay": _SHARPNESS * jax.nn.softplus(ready["decay"])}

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        return affine(x, ready["kernel"], ready["bias"])

    def elements(self, ready: PyTree, z: Array) -> tuple[Array, Array]:
        r, i, n = jnp.split(z, 3, axis=-1)
        log_a = -ready["decay"] * jax.nn.sigmoid(r)
        # 1 - a^2, kept off 0, where a root has no slope.
        left = jnp.maximum(-jnp.expm1(2 * log_a), jnp.finfo(log_a.dtype).tiny)
        return jnp.exp(log_a), jnp.sqrt(left) * jax.nn.sigmoid(i) * n
