"""The linear recurrent unit, and what it shares with state-space models."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cells.gates import one_size
from jaxrnn.cells.linear import drawn, within_one
from jaxrnn.initializers import LecunNormal, per_gate
from jaxrnn.linear import ComplexLinearCell, halves
from jaxrnn.product import matmul, zeros
from jaxrnn.typing import Array, Key, PyTree, Shape, Size


class StateSpace(ComplexLinearCell):
    """What `LRU` and `S5` share: a diagonal linear recurrence of complex numbers.

    ::

      s = e * s' + g * (B x)
      y = Re(C s) + D x

    A subclass says in `prepare` what the eigenvalues e and the gains g are.
    """

    hidden_size: int
    state_size: int

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        n, H, N = one_size(input_size, self), self.hidden_size, self.state_size
        B, C, D = jax.random.split(key, 3)
        dtype = self.param_dtype or jnp.float32
        blocks = lambda key, shape: per_gate(
            LecunNormal(), key, shape, gates=2, dtype=dtype
        )
        # Both parts of B x, and of C s, have together the variance of one product.
        return {
            "kernel": blocks(B, (n, N)) * math.sqrt(0.5),
            "output_kernel": jnp.concatenate(jnp.split(blocks(C, (N, H)), 2, axis=-1)),
            "skip_kernel": LecunNormal()(D, (n, H), dtype),
        }

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> Array:
        return zeros(ready, (*batch_shape, 2 * self.state_size))

    def project(
        self, ready: PyTree, x: Array, *, key: Key | None = None
    ) -> tuple[Array, Array]:
        return matmul(x, ready["kernel"]), matmul(x, ready["skip_kernel"])

    def elements(self, ready: PyTree, z: tuple[Array, Array]) -> tuple[Array, Array]:
        driven, _ = z
        eigenvalues = jnp.expand_dims(ready["eigenvalues"], range(driven.ndim - 1))
        return eigenvalues, self.times(ready["gains"], driven)

    def readout(self, ready: PyTree, carry: Array, z: tuple[Array, Array]) -> Array:
        _, skipped = z
        return matmul(carry, ready["output_kernel"]) + skipped


class LRU(StateSpace):
    """The linear recurrent unit.

    ::

      e = exp(-exp(nu) + i exp(theta))     eigenvalues, |e| < 1
      s = e * s' + gamma * (B x)           the state, complex
      y = Re(C s) + D x                    the output

    The carry is `[Re s, Im s]`, `[*batch, 2N]`.

    Args:
      hidden_size: H, the size of y.
      state_size: N; the parameters are `nu`, `theta` and `log_gamma` `[N]`, `kernel`
        `[input_size, 2N]`, Re B beside Im B, `output_kernel` `[2N, H]`, Re C above
        -Im C, and `skip_kernel` D `[input_size, H]`.
      r_min, r_max: |e|^2 ~ U(r_min^2, r_max^2) at the start, 0 < r_min < r_max < 1,
        with gamma = sqrt(1 - |e|^2).
      max_phase: the angle of e is uniform between 0 and this.

    References:
      Orvieto et al. 2023, equation 2 and section 3.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.LRU(4, state_size=8)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> xs = jnp.ones((7, 2, 3))
      >>> carry, ys = jr.unroll(cell, params, xs, method="associative")
      >>> ys.shape, carry.shape
      ((7, 2, 4), (2, 16))
    """

    r_min: float = 0.9
    r_max: float = 0.999
    max_phase: float = 6.28

    def __post_init__(self) -> None:
        within_one(r_min=self.r_min, r_max=self.r_max)
        if not self.max_phase > 0:
            raise ValueError(f"`max_phase` must be above 0, got {self.max_phase}")
        super().__post_init__()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        key, ring, angle = jax.random.split(key, 3)
        squares = self.r_min**2, self.r_max**2
        phases = 1e-6 * self.max_phase, self.max_phase  # the logarithm of 0 is not real

        def on_ring(square: Array) -> PyTree:
            gamma = 0.5 * jnp.log1p(-square)
            return {"nu": jnp.log(-0.5 * jnp.log(square)), "log_gamma": gamma}

        params = super().init(key, input_size)
        params |= drawn(self, ring, self.state_size, squares, on_ring)
        return params | {"theta": drawn(self, angle, self.state_size, phases, jnp.log)}

    def prepare(self, params: PyTree, **given: Any) -> PyTree:
        ready = super().prepare(params, **given)
        nu, theta = jnp.exp(ready.pop("nu")), jnp.exp(ready.pop("theta"))
        gamma = jnp.exp(ready.pop("log_gamma"))
        return ready | {
            "eigenvalues": halves(jnp.exp(jax.lax.complex(-nu, theta))),
            "gains": jnp.concatenate([gamma, jnp.zeros_like(gamma)]),
        }
