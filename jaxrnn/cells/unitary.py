"""The unitary evolution network: a complex state whose norm no step changes."""

import functools
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn.cell import Cell
from jaxrnn.cells.gates import one_size
from jaxrnn.initializers import Initializer, LecunNormal
from jaxrnn.product import matmul, zeros
from jaxrnn.typing import Array, Key, PyTree, Shape, Size


class UnitaryRNN(Cell):
    """A network whose state is complex and whose U is unitary: |U h| = |h|.

    ::

      U = D_3 R_2 F^-1 D_2 P R_1 F D_1
      a = U h' + V x
      h_j = relu(|a_j| + b_j) a_j / |a_j|         modReLU, 0 where a_j = 0

      D_k = diag(exp(i phases_k))                 k = 1, 2, 3
      R_k = I - 2 v_k v_k^* / |v_k|^2             k = 1, 2
      F                                           the unitary Fourier transform
      (P h)_j = h_(p_j)                           p: a fixed random permutation

    A step takes O(H log H), for no factor of U is ever written out as a matrix. Carry
    and output are the real vector [Re h, Im h].

    Args:
      hidden_size: H, of complex numbers; the parameters are `kernel` V
        `[input_size, 2H]`, real parts first, `bias` b `[H]`, `phases` `[3, H]` and
        the v_k as `reflections` `[2, 2H]`, real parts first.
      seed: of p, at least 0.
      kernel_init: of the real and of the imaginary part of V.

    References:
      Arjovsky, Shah, Bengio 2016, equations 6 and 8; lecture 004.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.UnitaryRNN(4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> carry, ys = jr.unroll(cell, params, jnp.ones((7, 2, 3)))
      >>> ys.shape
      (7, 2, 8)
    """

    hidden_size: int
    seed: Annotated[int, "which may be 0, as a size may not"] = 0
    kernel_init: Initializer = LecunNormal()

    def __post_init__(self) -> None:
        whole = isinstance(self.seed, int) and not isinstance(self.seed, bool)
        if not whole or self.seed < 0:
            raise ValueError(
                f"`seed` must be an integer of at least 0, got {self.seed!r}"
            )
        super().__post_init__()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        kernel_key, phases_key, key = jax.random.split(key, 3)
        size, dtype = one_size(input_size, self), self.param_dtype or jnp.float32
        H = self.hidden_size
        phases = jax.random.uniform(phases_key, (3, H), dtype, -np.pi, np.pi)
        return {
            "kernel": self.kernel_init(kernel_key, (size, 2 * H), dtype),
            "phases": phases,
            "reflections": jax.random.uniform(key, (2, 2 * H), dtype, -1.0, 1.0),
            "bias": jnp.zeros(H, dtype),
        }

    def prepare(self, params: PyTree, **given: Any) -> PyTree:
        # Row by row they are vectors, which are cast to the gates' dtype.
        rows = {name: tuple(params[name]) for name in ("phases", "reflections")}
        ready = super().prepare({**params, **rows}, **given)
        turn = lambda phases: jax.lax.complex(jnp.cos(phases), jnp.sin(phases))
        return ready | {
            "phases": tuple(map(turn, ready["phases"])),
            "reflections": tuple(map(_unit, ready["reflections"])),
        }

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> Array:
        return zeros(ready["bias"], (*batch_shape, 2 * self.hidden_size))

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        return matmul(x, ready["kernel"])

    def recur(self, ready: PyTree, carry: Array, z: Array) -> tuple[Array, Array]:
        h = modrelu(self.turn(ready, _complex(carry)) + _complex(z), ready["bias"])
        return h, h

    def turn(self, ready: PyTree, h: Array) -> Array:
        """U h, for complex `h` `[..., H]`."""
        (d1, d2, d3), (v1, v2) = ready["phases"], ready["reflections"]
        h = _reflect(jnp.fft.fft(d1 * h, norm="ortho"), v1)
        h = h[..., _permutation(self.seed, self.hidden_size)]
        return d3 * _reflect(jnp.fft.ifft(d2 * h, norm="ortho"), v2)


def modrelu(a: Array, bias: Array) -> Array:
    """relu(|a| + bias) a / |a| of complex numbers, as real and imaginary parts.

    Stated so that its slope is finite at a = 0, and 1 there for a bias of 0.

    Args:
      a: `[..., H]`, complex.
      bias: `[H]`, real.

    Returns:
      `[..., 2H]`, real parts first.

    Example:
      >>> modrelu(jnp.array([3 + 4j, 0.5j]), jnp.array([5.0, -1.0])).tolist()
      [6.0, 0.0, 8.0, 0.0]
    """
    size = jnp.abs(a)
    divisor = jnp.where(size > 0, size, 1)
    longer = lambda part: part + bias * (part / divisor)
    kept = [jnp.where(size + bias >= 0, longer(p), 0) for p in (a.real, a.imag)]
    return jnp.concatenate(kept, axis=-1)


def _reflect(h: Array, v: Array) -> Array:
    """(I - 2 v v^*) h for |v| = 1."""
    return h - 2 * v * (v.conj() * h).sum(axis=-1, keepdims=True)


def _unit(v: Array) -> Array:
    return _complex(v / jnp.sqrt(jnp.square(v).sum()))


def _complex(parts: Array) -> Array:
    return jax.lax.complex(*jnp.split(parts, 2, axis=-1))


@functools.cache
def _permutation(seed: int, size: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(size)
