"""Weights as torch names them, drawn without torch, and those of our cells."""

from typing import Any

import jax
import numpy as np

N, H = 3, 5
_rng = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return _rng.normal(size=shape).astype("float32")


def params_of(cell: Any, input_size: Any) -> Any:
    """Random parameters of a cell, biases too; `init` is not compiled."""
    shapes = jax.eval_shape(lambda key: cell.init(key, input_size), jax.random.key(0))
    return jax.tree.map(lambda a: normal(*a.shape).astype(a.dtype), shapes)


def torch_weights(G: int = 4, *, layers: int = 1) -> dict[str, np.ndarray]:
    """A `state_dict` of a network with G gates and two biases."""
    weights = {}
    for k in range(layers):
        weights[f"weight_ih_l{k}"] = normal(G * H, H if k else N)
        weights[f"weight_hh_l{k}"] = normal(G * H, H)
        weights[f"bias_ih_l{k}"] = normal(G * H)
        weights[f"bias_hh_l{k}"] = normal(G * H)
    return weights
