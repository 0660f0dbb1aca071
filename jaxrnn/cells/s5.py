"""A state-space model as a recurrent cell."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn.cells.linear import drawn
from jaxrnn.cells.lru import StateSpace
from jaxrnn.linear import halves
from jaxrnn.typing import Key, PyTree, Size


class S5(StateSpace):
    """The simplified state-space layer, with a diagonal state matrix.

    It is the linear differential equation ds/dt = l s + B x, x held between steps that
    are d apart::

      l = -exp(log_decay) + i frequency
      e = exp(l d),  d = exp(log_step)
      s = e * s' + (e - 1)/l * (B x)       the state, complex
      y = 2 Re(C s) + D x                  the output

    Each state stands for a pair of conjugate ones, hence the 2. The carry is
    `[Re s, Im s]`, `[*batch, 2N]`.

    Args:
      hidden_size: H, the size of y.
      state_size: N; the parameters are `log_decay`, `frequency` and `log_step` `[N]`,
        `kernel` `[input_size, 2N]`, Re B beside Im B, `output_kernel` `[2N, H]`, Re C
        above -Im C, and `skip_kernel` D `[input_size, H]`. At the start
        l_k = -1/2 + i pi k.
      step_min, step_max: log d ~ U(log step_min, log step_max) at the start.

    References:
      Smith, Warrington, Linderman 2023, equations 3 and 6; the start: Gu et al. 2022,
      S4D-Lin.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.S5(4, state_size=8)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> xs = jnp.ones((7, 2, 3))
      >>> carry, ys = jr.unroll(cell, params, xs, method="associative")
      >>> ys.shape, carry.shape
      ((7, 2, 4), (2, 16))
    """

    step_min: float = 0.001
    step_max: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.step_min < self.step_max:
            raise ValueError(
                "`step_min` and `step_max` must be such that 0 < step_min < step_max, "
                f"got {self.step_min} and {self.step_max}"
            )
        super().__post_init__()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        key, step_key = jax.random.split(key)
        N, dtype = self.state_size, self.param_dtype or jnp.float32
        steps = math.log(self.step_min), math.log(self.step_max)
        return super().init(key, input_size) | {
            "log_decay": jnp.full(N, math.log(0.5), dtype),
            "frequency": jnp.asarray(math.pi * np.arange(N), dtype),
            "log_step": drawn(self, step_key, N, steps, lambda u: u),
        }

    def prepare(self, params: PyTree, **given: Any) -> PyTree:
        ready = super().prepare(params, **given)
        decay, frequency = jnp.exp(ready.pop("log_decay")), ready.pop("frequency")
        step = jnp.exp(ready.pop("log_step"))
        rate = jax.lax.complex(-decay, frequency)
        turned = jax.lax.complex(-decay * step, frequency * step)
        return ready | {
            "eigenvalues": halves(jnp.exp(turned)),
            "gains": halves(jnp.expm1(turned) / rate),
            "output_kernel": 2 * ready["output_kernel"],
        }
