"""Linear recurrences, one step at a time and in complex numbers where they are."""

from typing import Any

import numpy as np

from laws.oracles_gated import bare
from laws.oracles_parts import Params, gates, sigmoid


def diagonal(cell: Any, params: Params, h: np.ndarray, x: np.ndarray) -> tuple:
    A = np.diag(sigmoid(params["decay"]))
    h = A @ h + params["kernel"].T @ x + params["bias"]
    return h, h


def min_gru(cell: Any, params: Params, h: np.ndarray, x: np.ndarray) -> tuple:
    """Feng 2024, section 3.1."""
    (W_z, W_n), (b_z, b_n) = gates(params, "kernel", 2), gates(params, "bias", 2)
    z = sigmoid(W_z.T @ x + b_z)
    h = (1 - z) * h + z * (W_n.T @ x + b_n)
    return h, h


def min_lstm(cell: Any, params: Params, h: np.ndarray, x: np.ndarray) -> tuple:
    """Feng 2024, section 3.2."""
    W_f, W_i, W_n = gates(params, "kernel", 3)
    b_f, b_i, b_n = gates(params, "bias", 3)
    f, i = sigmoid(W_f.T @ x + b_f), sigmoid(W_i.T @ x + b_i)
    h = (f * h + i * (W_n.T @ x + b_n)) / (f + i)
    return h, h


def lru(cell: Any, params: Params, carry: np.ndarray, x: np.ndarray) -> tuple:
    """Orvieto 2023, equation 2 in the parametrisation of section 3.3."""
    modulus, phase = np.exp(-np.exp(params["nu"])), np.exp(params["theta"])
    eigenvalues = modulus * (np.cos(phase) + 1j * np.sin(phase))
    s = eigenvalues * state(carry) + np.exp(params["log_gamma"]) * driven(params, x)
    return halves(s), np.real(read_out(params) @ s) + params["skip_kernel"].T @ x


def s5(cell: Any, params: Params, carry: np.ndarray, x: np.ndarray) -> tuple:
    """Smith 2023, equations 3 and 6: zero-order hold; each state stands for a pair."""
    eigenvalues = -np.exp(params["log_decay"]) + 1j * params["frequency"]
    held = np.exp(eigenvalues * np.exp(params["log_step"]))
    s = held * state(carry) + (held - 1) / eigenvalues * driven(params, x)
    pair = read_out(params) @ s + np.conj(read_out(params)) @ np.conj(s)
    return halves(s), pair.real + params["skip_kernel"].T @ x


def state(carry: np.ndarray) -> np.ndarray:
    count = len(carry) // 2
    return carry[:count] + 1j * carry[count:]


def halves(s: np.ndarray) -> np.ndarray:
    return np.concatenate([s.real, s.imag])


def driven(params: Params, x: np.ndarray) -> np.ndarray:
    """B x."""
    real, imaginary = gates(params, "kernel", 2)
    return (real + 1j * imaginary).T @ x


def read_out(params: Params) -> np.ndarray:
    """C: the kernel's rows hold Re C^T above -Im C^T."""
    above, below = np.split(params["output_kernel"], 2)
    return above.T - 1j * below.T


def rg_lru(cell: Any, params: Params, h: np.ndarray, x: np.ndarray) -> tuple:
    """De 2024, equations 1 to 4."""
    W_r, W_i, W_x = gates(params, "kernel", 3)
    b_r, b_i, b_x = gates(params, "bias", 3)
    r, i = sigmoid(W_r.T @ x + b_r), sigmoid(W_i.T @ x + b_i)
    a = (1 + np.exp(params["decay"])) ** (-8 * r)
    h = a * h + np.sqrt(1 - a**2) * (i * (W_x.T @ x + b_x))
    return h, h


def sru(cell: Any, params: Params, c: np.ndarray, x: np.ndarray) -> tuple:
    """Lei 2018, equations 1 to 4, without the peepholes."""
    W_f, W_r, W_x = gates(params, "kernel", 3)
    b_f, b_r = gates(params, "bias", 2)
    f, r = sigmoid(W_f.T @ x + b_f), sigmoid(W_r.T @ x + b_r)
    c = f * c + (1 - f) * (W_x.T @ x)
    return c, r * c + (1 - r) * bare(params, c, x)


def qrnn(cell: Any, params: Params, carry: Any, x: np.ndarray) -> tuple:
    """Bradbury 2017, equations 1, 2 and 4."""
    seen = np.concatenate([carry.inputs[1:], x[None]])
    W_f, W_o, W_n = gates(params, "kernel", 3)
    b_f, b_o, b_n = gates(params, "bias", 3)
    f = sigmoid(W_f.T @ seen.ravel() + b_f)
    o = sigmoid(W_o.T @ seen.ravel() + b_o)
    n = np.tanh(W_n.T @ seen.ravel() + b_n)
    c = f * carry.cell + (1 - f) * n
    return type(carry)(inputs=seen, cell=c), o * c


LINEAR = {
    "DiagonalLinear": diagonal,
    "MinGRU": min_gru,
    "MinLSTM": min_lstm,
    "LRU": lru,
    "S5": s5,
    "RGLRU": rg_lru,
    "SRU": sru,
    "QRNN": qrnn,
}
