"""The cells of xLSTM (Beck 2024), without the stabiliser.

A stored carry is divided by exp(m). These oracles multiply it out, take the paper's
equations as they stand, and divide by the next exp(m).
"""

from typing import Any

import numpy as np

from laws.oracles_parts import Params, gates, sigmoid


def matrix_lstm(cell: Any, params: Params, carry: Any, x: np.ndarray) -> tuple:
    """Equations 19 to 27, head by head."""
    heads = [
        matrix_head(cell, params, k, *(leaf[k] for leaf in carry), x)
        for k in range(cell.heads)
    ]
    *carry_leaves, h = (np.stack(leaves) for leaves in zip(*heads, strict=True))
    names = "memory", "normaliser", "stabiliser"
    return type(carry)(**dict(zip(names, carry_leaves, strict=True))), h.ravel()


def matrix_head(
    cell: Any,
    params: Params,
    head: int,
    memory: np.ndarray,
    normaliser: np.ndarray,
    m: np.ndarray,
    x: np.ndarray,
) -> tuple:
    d = cell.head_size
    own = slice(head * d, (head + 1) * d)
    W, b = gates(params, "kernel", 4), gates(params, "bias", 4)
    q, k, v, o = (W_g[:, own].T @ x + b_g[own] for W_g, b_g in zip(W, b, strict=True))
    k, o = k / np.sqrt(d), sigmoid(o)
    w_i, w_f = (w[:, head] for w in gates(params, "gate_kernel", 2))
    b_i, b_f = (b[head] for b in gates(params, "gate_bias", 2))
    i, f = np.exp(w_i @ x + b_i), sigmoid(w_f @ x + b_f)
    C = f * memory * np.exp(m) + i * np.outer(v, k)
    u = f * normaliser * np.exp(m) + i * k
    h = o * (C @ q) / max(abs(u @ q), 1)
    m = np.maximum(np.log(f) + m, np.log(i))
    return C / np.exp(m), u / np.exp(m), m, h


def scalar_lstm(cell: Any, params: Params, carry: Any, x: np.ndarray) -> tuple:
    """Equations 8 to 14; a head's units read that head's outputs alone."""
    m = carry.stabiliser
    a = params["kernel"].T @ x + fed_back(cell, params, carry.hidden) + params["bias"]
    i, f, o, z = np.split(a, 4)
    i, f, o, z = np.exp(i), sigmoid(f), sigmoid(o), np.tanh(z)
    c = f * carry.cell * np.exp(m) + i * z
    n = f * carry.normaliser * np.exp(m) + i
    h = o * (c / n)
    m = np.maximum(np.log(f) + m, np.log(i))
    following = type(carry)(
        hidden=h, cell=c / np.exp(m), normaliser=n / np.exp(m), stabiliser=m
    )
    return following, h


def fed_back(cell: Any, params: Params, h: np.ndarray) -> np.ndarray:
    """R h' of all gates, each with its heads side by side: R is a matrix in blocks."""
    size, width = len(h), len(h) // cell.heads
    R = np.zeros((size, 4, size))
    for k, block in enumerate(params["recurrent_kernel"]):
        own = slice(k * width, (k + 1) * width)
        R[own, :, own] = block.reshape(width, 4, width)
    return R.reshape(size, 4 * size).T @ h


XLSTM = {"MatrixLSTM": matrix_lstm, "ScalarLSTM": scalar_lstm}
