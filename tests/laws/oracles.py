"""The equations of every cell once more, in NumPy and float64, unit by unit.

Written from the papers and the docstrings alone: `x` and `h` are one row's vectors, and
the kernels' columns hold the gates side by side in the order that the docstring gives.
An oracle takes the cell, its parameters, the carry of a row and an input, and returns
the next carry and the output. Here are the basic cells; each other family has a file.
"""

from typing import Any

import numpy as np

from laws.oracles_conv import CONV
from laws.oracles_gated import GATED
from laws.oracles_linear import LINEAR
from laws.oracles_multiplicative import MULTIPLICATIVE
from laws.oracles_orthogonal import ORTHOGONAL
from laws.oracles_parts import FUNCTIONS, Params, gates, ln, sigmoid
from laws.oracles_xlstm import XLSTM


def elman(cell: Any, params: Params, h: np.ndarray, x: np.ndarray) -> tuple:
    f = FUNCTIONS[cell.activation]
    W, U, b = params["kernel"], params["recurrent_kernel"], params["bias"]
    b = b + params.get("recurrent_bias", 0)
    a = W.T @ x + U.T @ h
    new = f((ln(a, params["sum_scale"]) if cell.layer_norm else a) + b)
    h = (1 - cell.leak) * h + cell.leak * new
    return h, h


def preactivation(cell: Any, params: Params, c: np.ndarray, x: np.ndarray) -> tuple:
    f = FUNCTIONS[cell.activation]
    W, U, b = params["kernel"], params["recurrent_kernel"], params["bias"]
    c = W.T @ x + U.T @ f(c) + b
    return c, f(c)


def jordan(cell: Any, params: Params, y: np.ndarray, x: np.ndarray) -> tuple:
    f, g = FUNCTIONS[cell.activation], FUNCTIONS[cell.output_activation]
    W, R, b = params["kernel"], params["recurrent_kernel"], params["bias"]
    h = f(W.T @ x + R.T @ y + b)
    y = g(params["output_kernel"].T @ h + params["output_bias"])
    return y, y


def lstm(cell: Any, params: Params, carry: Any, x: np.ndarray) -> tuple:
    phi, c = FUNCTIONS[cell.activation], carry.cell
    s, psi = (
        FUNCTIONS[cell.gate_activation],
        FUNCTIONS[cell.output_activation or cell.activation],
    )
    names = "fog" if cell.coupled else "ifog"
    read = params["kernel"].T @ x
    fed_back = params["recurrent_kernel"].T @ carry.hidden
    if cell.layer_norm:
        read = ln(read, params["kernel_scale"])
        fed_back = ln(fed_back, params["recurrent_scale"])
    bias = params["bias"] + params.get("recurrent_bias", 0)
    sums = np.split(read + fed_back + bias, len(names))
    a = dict(zip(names, sums, strict=True))
    a["f"] = a["f"] + cell.forget_offset
    p = dict.fromkeys(names, np.zeros_like(c))
    if cell.peepholes:
        looks = np.split(params["peephole"], len(names) - 1)
        p = dict(zip(names[:-1], looks, strict=True))
    f = s(a["f"] + p["f"] * c)
    i = 1 - f if cell.coupled else s(a["i"] + p["i"] * c)
    c = f * c + i * phi(a["g"])
    o = s(a["o"] + p["o"] * c)
    seen = ln(c, params["cell_scale"], params["cell_bias"]) if cell.layer_norm else c
    h = o * psi(seen)
    if cell.projection_size is not None:
        h = params["projection_kernel"].T @ h
    return type(carry)(hidden=h, cell=c), h


def gru(cell: Any, params: Params, h: np.ndarray, x: np.ndarray) -> tuple:
    if cell.layer_norm:
        return gru_layer_norm(cell, params, h, x)
    (W_z, W_r, W_n), (U_z, U_r, U_n), (b_z, b_r, b_n) = (
        gates(params, name, 3) for name in ("kernel", "recurrent_kernel", "bias")
    )
    s, phi = FUNCTIONS[cell.gate_activation], FUNCTIONS[cell.activation]
    c_z, c_r, b_u = 0, 0, params.get("recurrent_bias", 0)
    if cell.recurrent_bias:
        c_z, c_r, b_u = gates(params, "recurrent_bias", 3)
    z = s(W_z.T @ x + U_z.T @ h + b_z + c_z)
    r = s(W_r.T @ x + U_r.T @ h + b_r + c_r)
    if cell.reset == "before":
        n = phi(W_n.T @ x + U_n.T @ (r * h) + b_n + b_u)
    else:
        n = phi(W_n.T @ x + r * (U_n.T @ h + b_u) + b_n)
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
    h = z * h + (1 - z) * n if cell.update == "keep" else (1 - z) * h + z * n
    return h, h


def layer_norm(cell: Any, params: Params, carry: tuple, x: np.ndarray) -> tuple:
    return carry, ln(x, params["scale"], params["bias"])


def embed(cell: Any, params: Params, carry: tuple, x: np.ndarray) -> tuple:
    return carry, params["embedding"][int(x)]


def dense(cell: Any, params: Params, carry: tuple, x: np.ndarray) -> tuple:
    return carry, params["kernel"].T @ x + params["bias"]


ORACLES = {
    "Elman": elman,
    "PreactivationElman": preactivation,
    "Jordan": jordan,
    "LSTM": lstm,
    "GRU": gru,
    "Embed": embed,
    "Dense": dense,
    "LayerNorm": layer_norm,
    **GATED,
    **MULTIPLICATIVE,
    **CONV,
    **ORTHOGONAL,
    **LINEAR,
    **XLSTM,
}
