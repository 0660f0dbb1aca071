"""A reservoir that is never trained, and the readout that is solved for."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.cell import Cell
from jaxrnn.cells.gates import one_size
from jaxrnn.initializers import Normal, Uniform
from jaxrnn.product import affine, gate_dtype, matmul
from jaxrnn.typing import Array, Key, PyTree, Size


class EchoState(Cell):
    """Echo state network: a leaky random recurrence, whose parameters stay as drawn.

    ::

      h = (1 - leak) * h' + leak * tanh(W x + U h' + b)

    The output is h, and no gradient reaches W, U and b. What is trained stands behind
    it: a `Dense`, by gradients or in one go by `ridge`.

    Args:
      hidden_size: H; the parameters are `kernel` W `[input_size, H]`,
        `recurrent_kernel` U `[H, H]` and `bias` b `[H]`.
      spectral_radius: the largest modulus of U's eigenvalues; echoes of the first state
        fade where it is below 1.
      leak: in [0, 1], how much of the state is new.
      input_scale: W and b are drawn from U(-input_scale, input_scale).

    References:
      Jaeger 2001; leaky units: Jaeger, Lukoševičius, Popovici, Siewert 2007.

    Example:
      >>> import jaxrnn as jr
      >>> model = jr.Stack(jr.EchoState(100), jr.Dense(1))
      >>> params = model.init(jax.random.key(0), 1)
      >>> wave = jnp.sin(0.3 * jnp.arange(501.0))[:, None]
      >>> _, states = jr.unroll(model.cells[0], params[0], wave[:-1])
      >>> trained = params[0], jr.ridge(states[50:], wave[51:])
      >>> _, ahead = jr.unroll(model, trained, wave[:-1])
      >>> bool((abs(ahead - wave[1:])[50:] < 0.01).all())
      True
    """

    hidden_size: int
    spectral_radius: float = 0.9
    leak: float = 1.0
    input_scale: float = 1.0

    def __post_init__(self) -> None:
        checks.probability(leak=self.leak)
        super().__post_init__()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        W, U, b = jax.random.split(key, 3)
        n, H = one_size(input_size, self), self.hidden_size
        dtype, uniform = self.param_dtype or jnp.float32, Uniform(self.input_scale)
        square = Normal(1.0)(U, (H, H), gate_dtype(dtype))  # no eigenvalues in bfloat16
        radius = jnp.abs(jnp.linalg.eigvals(square)).max()
        return {
            "kernel": uniform(W, (n, H), dtype),
            "recurrent_kernel": (square * (self.spectral_radius / radius)).astype(
                dtype
            ),
            "bias": uniform(b, (H,), dtype),
        }

    def prepare(self, params: PyTree, **given: Any) -> PyTree:
        return super().prepare(jax.lax.stop_gradient(params), **given)

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        return affine(x, ready["kernel"], ready["bias"])

    def recur(self, ready: PyTree, carry: Array, z: Array) -> tuple[Array, Array]:
        new = jnp.tanh(z + matmul(carry, ready["recurrent_kernel"]))
        h = (1 - self.leak) * carry + self.leak * new
        return h, h


def ridge(
    ys: Array, targets: Array, penalty: float = 1e-6, mask: Array | None = None
) -> PyTree:
    """The best affine map of states to targets: the parameters of a `Dense`.

    ::

      V, c = argmin sum_t |V y_t + c - target_t|^2 + penalty |V|^2

    Args:
      ys: states `[..., H]`, of any number of steps and rows, without the first steps,
        which still echo the initial state.
      targets: `[..., m]`, of the same steps and rows.
      penalty: above 0.
      mask: `[...]`, True at the steps that count; None: all do.

    Returns:
      `kernel` V `[H, m]` and `bias` c `[m]`.

    Raises:
      ValueError: for a penalty that is not above 0, where shapes do not agree, and
        where no step counts.

    References:
      Jaeger 2001; ridge regression: Hoerl, Kennard 1970.

    Example:
      >>> states = jax.random.normal(jax.random.key(0), (50, 3))
      >>> params = ridge(states, states[:, :1] - states[:, 2:] + 5)
      >>> params["kernel"].ravel().round(3).tolist(), params["bias"].round(3).tolist()
      ([1.0, 0.0, -1.0], [5.0])
    """
    if not penalty > 0:
        raise ValueError(f"`penalty` must be above 0, got {penalty}")
    mask = jnp.ones(ys.shape[:-1], bool) if mask is None else jnp.asarray(mask)
    for name, shape in (("targets", targets.shape[:-1]), ("mask", mask.shape)):
        if shape != ys.shape[:-1]:
            raise ValueError(
                f"`{name}` must have the leading axes {ys.shape[:-1]} of `ys`, "
                f"got {shape}"
            )
    if checks.concrete(mask) and not mask.any():
        raise ValueError("`mask` must let at least one step count, got none")
    dtype, H = gate_dtype(ys.dtype), ys.shape[-1]

    def rows(a: Array) -> Array:
        kept = jnp.where(mask[..., None], jnp.asarray(a, dtype), 0)
        return kept.reshape(-1, kept.shape[-1])

    states = jnp.concatenate([rows(ys), rows(jnp.ones((*mask.shape, 1)))], axis=-1)
    # The penalty as H more rows: normal equations would square the condition.
    penalties = penalty**0.5 * jnp.eye(H, H + 1, dtype=dtype)
    Q, R = jnp.linalg.qr(jnp.concatenate([states, penalties]))
    aims = jnp.pad(rows(targets), ((0, H), (0, 0)))
    both = jax.scipy.linalg.solve_triangular(R, Q.T @ aims)
    return {"kernel": both[:-1], "bias": both[-1]}
