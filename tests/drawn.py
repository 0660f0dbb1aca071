"""Random parameters without a compilation, biases and learned carries included."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxrnn as jr


def parameters(cell: jr.Cell, input_size: Any = None, *, seed: int = 0) -> Any:
    """What `cell.init` would return, all of it random."""
    init = lambda key: cell.init(key, input_size)
    shapes = jax.eval_shape(init, jax.random.key(0))
    rng = np.random.default_rng(seed)
    draw = lambda a: jnp.asarray(rng.normal(scale=0.5, size=a.shape).astype(a.dtype))
    return jax.tree.map(draw, shapes)
