"""Weights that are not quite known."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.typing import Array, Key, PyTree
from jaxrnn.wrapper import Wrapper


class WeightNoise(Wrapper):
    """A cell to whose parameters noise is added, drawn once a sequence.

    ::

      w = w + e        e ~ N(0, stddev^2), for each weight on its own

    All rows share it, and all steps. In evaluation there is none.

    Args:
      cell: any cell; the parameters are its own, under `cell`.
      stddev: of the noise, at least 0.

    References:
      Graves 2013 (0.075); Jim, Giles, Horne 1996.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.WeightNoise(jr.Elman(4), 0.075)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> ready = cell.prepare(params, key=jax.random.key(1))
      >>> noise = ready["cell"]["kernel"] - params["cell"]["kernel"]
      >>> 0.0 < float(jnp.abs(noise).max()) < 0.4
      True
    """

    stddev: float

    def __post_init__(self) -> None:
        if not 0 <= self.stddev < float("inf"):
            raise ValueError(f"`stddev` must be at least 0, got {self.stddev}")
        super().__post_init__()

    def prepare(
        self, params: PyTree, *, key: Key | None = None, **given: Any
    ) -> PyTree:
        if key is not None and self.stddev > 0:
            own, key = jax.random.split(key)
            leaves, tree = jax.tree.flatten(params)
            keys = jax.random.split(own, len(leaves))
            noisy = map(self._with_noise, leaves, keys)
            params = jax.tree.unflatten(tree, noisy)
        return super().prepare(params, key=key, **given)

    def _with_noise(self, weights: Array, key: Key) -> Array:
        if not jnp.issubdtype(weights.dtype, jnp.inexact):
            return weights
        noise = jax.random.normal(key, weights.shape, weights.dtype)
        return weights + self.stddev * noise
