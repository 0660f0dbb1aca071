"""Convolutional cells: a loop over places, and at each one over the window."""

from typing import Any

import numpy as np

from laws.oracles_parts import Params, gates, sigmoid


def convolve(kernel: np.ndarray, x: np.ndarray, window: tuple[int, ...]) -> np.ndarray:
    """`x` [*space, n] and `kernel` [positions of the window * n, m]: [*space, m]."""
    space, n = x.shape[:-1], x.shape[-1]
    assert len(kernel) == np.prod(window) * n
    out = np.zeros((*space, kernel.shape[1]))
    for place in np.ndindex(*space):
        for number, offset in enumerate(np.ndindex(*window)):
            steps = zip(place, offset, window, strict=True)
            seen = tuple(p + o - (w - 1) // 2 for p, o, w in steps)
            if all(0 <= s < size for s, size in zip(seen, space, strict=True)):
                out[place] += kernel[number * n : (number + 1) * n].T @ x[seen]
    return out


def conv_lstm(cell: Any, params: Params, carry: Any, x: np.ndarray) -> tuple:
    """Shi 2015, equation 3, without the peepholes."""
    h, c = carry.hidden, carry.cell
    W, U = gates(params, "kernel", 4), gates(params, "recurrent_kernel", 4)
    i, f, o, g = (
        convolve(W_g, x, cell.window) + convolve(U_g, h, cell.window) + b_g
        for W_g, U_g, b_g in zip(W, U, gates(params, "bias", 4), strict=True)
    )
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return type(carry)(hidden=h, cell=c), h


def conv_gru(cell: Any, params: Params, h: np.ndarray, x: np.ndarray) -> tuple:
    conv = lambda kernel, a: convolve(kernel, a, cell.window)
    (W_z, W_r, W_n), (U_z, U_r, U_n), (b_z, b_r, b_n) = (
        gates(params, name, 3) for name in ("kernel", "recurrent_kernel", "bias")
    )
    z = sigmoid(conv(W_z, x) + conv(U_z, h) + b_z)
    r = sigmoid(conv(W_r, x) + conv(U_r, h) + b_r)
    if cell.reset == "before":
        n = np.tanh(conv(W_n, x) + conv(U_n, r * h) + b_n)
    else:
        n = np.tanh(conv(W_n, x) + r * (conv(U_n, h) + params["recurrent_bias"]) + b_n)
    h = z * h + (1 - z) * n
    return h, h


CONV = {"ConvLSTM": conv_lstm, "ConvGRU": conv_gru}
