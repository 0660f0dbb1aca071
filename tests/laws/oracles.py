"""The equations of the basic cells once more, in NumPy and float64, unit by unit.

Written from the docstrings alone: `x` and `h` are one row's vectors, and the kernels'
columns hold the gates side by side in the order that the docstring gives.
"""

from typing import Any

import numpy as np

Params = dict[str, np.ndarray]


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


def gates(params: Params, name: str, count: int) -> list[np.ndarray]:
    """A parameter's blocks, one a gate."""
    width = params[name].shape[-1] // count
    return [params[name][..., g * width : (g + 1) * width] for g in range(count)]


def ln(a: np.ndarray, scale: np.ndarray, bias: Any = 0) -> np.ndarray:
    """Layer normalisation of one vector."""
    return (a - a.mean()) / np.sqrt(a.var() + 1e-5) * scale + bias


def elman(cell: Any, params: Params, h: np.ndarray, x: np.ndarray) -> tuple:
    functions = {"relu": lambda a: np.where(a > 0, a, 0), "identity": lambda a: a}
    f = functions.get(cell.activation, np.tanh)
    W, U, b = params["kernel"], params["recurrent_kernel"], params["bias"]
    a = W.T @ x + U.T @ h
    h = f((ln(a, params["sum_scale"]) if cell.layer_norm else a) + b)
    return h, h


def lstm(cell: Any, params: Params, carry: Any, x: np.ndarray) -> tuple:
    names = "kernel", "recurrent_kernel", "bias"
    (W_i, W_f, W_o, W_g), (U_i, U_f, U_o, U_g), (b_i, b_f, b_o, b_g) = (
        gates(params, name, 4) for name in names
    )
    h, c = carry.hidden, carry.cell
    i = sigmoid(W_i.T @ x + U_i.T @ h + b_i)
    f = sigmoid(W_f.T @ x + U_f.T @ h + b_f)
    o = sigmoid(W_o.T @ x + U_o.T @ h + b_o)
    g = np.tanh(W_g.T @ x + U_g.T @ h + b_g)
    if cell.layer_norm:
        read = ln(params["kernel"].T @ x, params["kernel_scale"])
        fed_back = ln(params["recurrent_kernel"].T @ h, params["recurrent_scale"])
        i, f, o, g = np.split(read + fed_back + params["bias"], 4)
        i, f, o, g = sigmoid(i), sigmoid(f), sigmoid(o), np.tanh(g)
    c = f * c + i * g
    seen = ln(c, params["cell_scale"], params["cell_bias"]) if cell.layer_norm else c
    h = o * np.tanh(seen)
    return type(carry)(hidden=h, cell=c), h


def gru(cell: Any, params: Params, h: np.ndarray, x: np.ndarray) -> tuple:
    if cell.layer_norm:
        return gru_layer_norm(cell, params, h, x)
    (W_z, W_r, W_n), (U_z, U_r, U_n), (b_z, b_r, b_n) = (
        gates(params, name, 3) for name in ("kernel", "recurrent_kernel", "bias")
    )
    z = sigmoid(W_z.T @ x + U_z.T @ h + b_z)
    r = sigmoid(W_r.T @ x + U_r.T @ h + b_r)
    if cell.reset == "before":
        n = np.tanh(W_n.T @ x + U_n.T @ (r * h) + b_n)
    else:
        b_u = params["recurrent_bias"]
        n = np.tanh(W_n.T @ x + r * (U_n.T @ h + b_u) + b_n)
    h = z * h + (1 - z) * n if cell.update == "keep" else (1 - z) * h + z * n
    return h, h


def gru_layer_norm(cell: Any, params: Params, h: np.ndarray, x: np.ndarray) -> tuple:
    (W_z, W_r, W_n), (U_z, U_r, U_n), (b_z, b_r, b_n) = (
        gates(params, name, 3) for name in ("kernel", "recurrent_kernel", "bias")
    )
    a_z, a_r, a_n = gates(params, "kernel_scale", 3)
    read = np.concatenate([W_z.T @ x, W_r.T @ x])
    read = ln(read, np.concatenate([a_z, a_r]))
    fed_back = np.concatenate([U_z.T @ h, U_r.T @ h])
    fed_back = ln(fed_back, params["recurrent_scale"])
    z, r = np.split(sigmoid(read + fed_back + np.concatenate([b_z, b_r])), 2)
    scale, n = params["candidate_scale"], ln(W_n.T @ x, a_n) + b_n
    if cell.reset == "before":
        n = np.tanh(n + ln(U_n.T @ (r * h), scale))
    else:
        n = np.tanh(n + r * (ln(U_n.T @ h, scale) + params["recurrent_bias"]))
    h = z * h + (1 - z) * n
    return h, h


def layer_norm(cell: Any, params: Params, carry: tuple, x: np.ndarray) -> tuple:
    return carry, ln(x, params["scale"], params["bias"])


def embed(cell: Any, params: Params, carry: tuple, x: np.ndarray) -> tuple:
    return carry, params["embedding"][int(x)]


def dense(cell: Any, params: Params, carry: tuple, x: np.ndarray) -> tuple:
    return carry, params["kernel"].T @ x + params["bias"]


ORACLES = {
    "Elman": elman,
    "LSTM": lstm,
    "GRU": gru,
    "Embed": embed,
    "Dense": dense,
    "LayerNorm": layer_norm,
}
