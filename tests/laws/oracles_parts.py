"""What the oracles share. A vector is one row's; `'` in a docstring is the step before.

Nothing here comes from the library: an oracle that used it would repeat its mistakes.
"""

from typing import Any

import numpy as np

Params = dict[str, np.ndarray]


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


def relu(a: np.ndarray) -> np.ndarray:
    return np.where(a > 0, a, 0)


FUNCTIONS = {
    "tanh": np.tanh,
    "relu": relu,
    "sigmoid": sigmoid,
    "identity": lambda a: a,
    "softplus": lambda a: np.log(1 + np.exp(a)),
    "soft_sign": lambda a: a / (1 + np.abs(a)),
}


def gates(params: Params, name: str, count: int) -> list[np.ndarray]:
    """A parameter's blocks, one a gate."""
    width = params[name].shape[-1] // count
    assert params[name].shape[-1] == count * width
    return [params[name][..., g * width : (g + 1) * width] for g in range(count)]


def ln(a: np.ndarray, scale: np.ndarray, bias: Any = 0) -> np.ndarray:
    """Layer normalisation of one vector."""
    return (a - a.mean()) / np.sqrt(a.var() + 1e-5) * scale + bias
