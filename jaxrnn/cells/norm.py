"""Layer normalisation: as a layer, and what the cells share that know it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn.cell import Memoryless
from jaxrnn.cells.gates import one_size
from jaxrnn.product import affine, matmul
from jaxrnn.typing import Array, Key, PyTree, Size

EPSILON = 1e-5


class LayerNorm(Memoryless):
    """Features of mean 0 and variance 1, at every step of every row on its own.

    ::

      y = scale * (x - mean(x)) / sqrt(variance(x) + epsilon) + bias

    Inside a recurrence it is a field of the cells: `LSTM(5, layer_norm=True)`.

    Args:
      epsilon: added to the variance.

    References:
      Ba, Kiros, Hinton 2016, equation 4.

    Example:
      >>> import jaxrnn as jr
      >>> layer = jr.LayerNorm()
      >>> params = layer.init(jax.random.key(0), 2)
      >>> jr.unroll(layer, params, jnp.array([[1.0, 5.0]]))[1].round(3).tolist()
      [[-1.0, 1.0]]
    """

    epsilon: float = EPSILON

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        size, dtype = one_size(input_size, self), self.param_dtype or jnp.float32
        return {"scale": jnp.ones(size, dtype), "bias": jnp.zeros(size, dtype)}

    def output_size(self, input_size: Size | None) -> Size:
        return input_size  # type: ignore[return-value]

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        x = x.astype(ready["scale"].dtype)
        return standardised(x, self.epsilon) * ready["scale"] + ready["bias"]


def standardised(x: Array, epsilon: float = EPSILON) -> Array:
    """Mean 0 and variance 1 over the last axis; zeros where all are equal.

    Example:
      >>> standardised(jnp.array([3.0, 3.0])).tolist()
      [0.0, 0.0]
    """
    x = x - x.mean(axis=-1, keepdims=True)
    return x * jax.lax.rsqrt(jnp.square(x).mean(axis=-1, keepdims=True) + epsilon)


def norm_params(cell: Any, **gates: int) -> PyTree:
    """The parameters that a cell has for `layer_norm`, and none without it.

    Args:
      cell: has `layer_norm`, `hidden_size` H and `param_dtype`.
      **gates: G by name: `[G*H]`, of ones for what ends in `scale`, else of zeros.
    """
    dtype = cell.param_dtype or jnp.float32
    make = lambda name: jnp.ones if name.endswith("scale") else jnp.zeros
    items = gates.items() if cell.layer_norm else ()
    return {name: make(name)(G * cell.hidden_size, dtype) for name, G in items}


def norm(
    cell: Any, ready: PyTree, x: Array, scale: str, bias: str | None = None
) -> Array:
    """LN(x), by the parameters of these names; `x` itself without `layer_norm`."""
    if not cell.layer_norm:
        return x
    x = standardised(x) * ready[scale]
    return x if bias is None else x + ready[bias]


def norm_affine(cell: Any, ready: PyTree, x: Array, *sizes: int) -> Array:
    """W x + b; in a cell with `layer_norm` LN(W x) + b.

    Args:
      cell: has `layer_norm`.
      ready: `kernel` W `[n, m]`, `bias` `[m]` and, where needed, `kernel_scale` `[m]`.
      x: `[..., n]`.
      *sizes: of the groups of columns that are standardised apart.

    Returns:
      `[..., m]`.
    """
    if not cell.layer_norm:
        return affine(x, ready["kernel"], ready["bias"])
    groups = jnp.split(matmul(x, ready["kernel"]), np.cumsum(sizes)[:-1], axis=-1)
    whole = jnp.concatenate([standardised(a) for a in groups], axis=-1)
    return whole * ready["kernel_scale"] + ready["bias"]
