"""Deep transitions, products with the input, and recurrences that are given."""

from typing import Any

import numpy as np

from laws.oracles_parts import FUNCTIONS, Params, gates, sigmoid


def rhn(cell: Any, params: Params, s: np.ndarray, x: np.ndarray) -> tuple:
    """Zilly 2017, equations 6 to 9."""
    count = 2 if cell.coupled else 3
    read = [W.T @ x for W in gates(params, "kernel", count)]
    R = gates(params, "recurrent_kernel", cell.depth * count)
    b = gates(params, "bias", cell.depth * count)
    for layer in range(cell.depth):
        own = range(layer * count, (layer + 1) * count)
        a = [R[g].T @ s + b[g] for g in own]
        if layer == 0:
            a = [fed_back + seen for fed_back, seen in zip(a, read, strict=True)]
        t = sigmoid(a[1])
        c = 1 - t if cell.coupled else sigmoid(a[2])
        s = np.tanh(a[0]) * t + s * c
    return s, s


def m_rnn(cell: Any, params: Params, h: np.ndarray, x: np.ndarray) -> tuple:
    """Sutskever 2011, equations 7 to 9."""
    U_m, U = params["factor_kernel"], params["recurrent_kernel"]
    factors = U_m.shape[1]
    W_m, W = params["kernel"][:, :factors], params["kernel"][:, factors:]
    m = (W_m.T @ x) * (U_m.T @ h)
    h = FUNCTIONS[cell.activation](W.T @ x + U.T @ m + params["bias"])
    return h, h


def m_lstm(cell: Any, params: Params, carry: Any, x: np.ndarray) -> tuple:
    """Krause 2016, equations 18 to 22, and the LSTM's last two."""
    W_m, W_i, W_f, W_o, W_g = gates(params, "kernel", 5)
    U_i, U_f, U_o, U_g = gates(params, "recurrent_kernel", 4)
    b_i, b_f, b_o, b_g = gates(params, "bias", 4)
    m = (W_m.T @ x) * (params["factor_kernel"].T @ carry.hidden)
    i = sigmoid(W_i.T @ x + U_i.T @ m + b_i)
    f = sigmoid(W_f.T @ x + U_f.T @ m + b_f)
    o = sigmoid(W_o.T @ x + U_o.T @ m + b_o)
    g = np.tanh(W_g.T @ x + U_g.T @ m + b_g)
    c = f * carry.cell + i * g
    h = o * np.tanh(c)
    return type(carry)(hidden=h, cell=c), h


def ind_rnn(cell: Any, params: Params, h: np.ndarray, x: np.ndarray) -> tuple:
    """Li 2018, equation 2."""
    u = np.diag(params["recurrent_kernel"])
    a = params["kernel"].T @ x + u @ h + params["bias"]
    h = FUNCTIONS[cell.activation](a)
    return h, h


def echo_state(cell: Any, params: Params, h: np.ndarray, x: np.ndarray) -> tuple:
    W, U, b = params["kernel"], params["recurrent_kernel"], params["bias"]
    h = (1 - cell.leak) * h + cell.leak * np.tanh(W.T @ x + U.T @ h + b)
    return h, h


MULTIPLICATIVE = {
    "RHN": rhn,
    "MultiplicativeRNN": m_rnn,
    "MultiplicativeLSTM": m_lstm,
    "IndRNN": ind_rnn,
    "EchoState": echo_state,
}
