"""The gated units, the evolved and the found ones, and trees of one branch."""

from typing import Any

import numpy as np

from laws.oracles_parts import FUNCTIONS, Params, gates, relu, sigmoid


def basic(cell: Any, params: Params, h: np.ndarray, x: np.ndarray) -> tuple:
    (W_u, W_n), (U_u, U_n), (b_u, b_n) = (
        gates(params, name, 2) for name in ("kernel", "recurrent_kernel", "bias")
    )
    u = sigmoid(W_u.T @ x + U_u.T @ h + b_u)
    n = FUNCTIONS[cell.activation](W_n.T @ x + U_n.T @ h + b_n)
    h = u * n + (1 - u) * h
    return h, h


def mgu(cell: Any, params: Params, h: np.ndarray, x: np.ndarray) -> tuple:
    (W_f, W_n), (U_f, U_n), (b_f, b_n) = (
        gates(params, name, 2) for name in ("kernel", "recurrent_kernel", "bias")
    )
    f = sigmoid(W_f.T @ x + U_f.T @ h + b_f)
    if cell.reset == "before":
        n = np.tanh(W_n.T @ x + U_n.T @ (f * h) + b_n)
    else:
        n = np.tanh(W_n.T @ x + f * (U_n.T @ h + params["recurrent_bias"]) + b_n)
    h = f * h + (1 - f) * n if cell.update == "keep" else (1 - f) * h + f * n
    return h, h


def bare(params: Params, h: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The input itself where the unit has its width, else projected to it."""
    assert ("bare_kernel" in params) == (len(x) != len(h))
    return params["bare_kernel"].T @ x if len(x) != len(h) else x


def mut1(cell: Any, params: Params, h: np.ndarray, x: np.ndarray) -> tuple:
    W_z, W_r = gates(params, "kernel", 2)
    U_r, U_n = gates(params, "recurrent_kernel", 2)
    b_z, b_r, b_n = gates(params, "bias", 3)
    z = sigmoid(W_z.T @ x + b_z)
    r = sigmoid(W_r.T @ x + U_r.T @ h + b_r)
    n = np.tanh(U_n.T @ (r * h) + np.tanh(bare(params, h, x)) + b_n)
    h = n * z + h * (1 - z)
    return h, h


def mut2(cell: Any, params: Params, h: np.ndarray, x: np.ndarray) -> tuple:
    W_z, W_n = gates(params, "kernel", 2)
    U_z, U_r, U_n = gates(params, "recurrent_kernel", 3)
    b_z, b_r, b_n = gates(params, "bias", 3)
    z = sigmoid(W_z.T @ x + U_z.T @ h + b_z)
    r = sigmoid(bare(params, h, x) + U_r.T @ h + b_r)
    n = np.tanh(U_n.T @ (r * h) + W_n.T @ x + b_n)
    h = n * z + h * (1 - z)
    return h, h


def mut3(cell: Any, params: Params, h: np.ndarray, x: np.ndarray) -> tuple:
    W_z, W_r, W_n = gates(params, "kernel", 3)
    U_z, U_r, U_n = gates(params, "recurrent_kernel", 3)
    b_z, b_r, b_n = gates(params, "bias", 3)
    z = sigmoid(W_z.T @ x + U_z.T @ np.tanh(h) + b_z)
    r = sigmoid(W_r.T @ x + U_r.T @ h + b_r)
    n = np.tanh(U_n.T @ (r * h) + W_n.T @ x + b_n)
    h = n * z + h * (1 - z)
    return h, h


def nas(cell: Any, params: Params, carry: Any, x: np.ndarray) -> tuple:
    """Zoph and Le 2017, as the authors released it: the last tanh but one is around
    the sum of the two right branches, and the new state enters the product as it is."""
    h, c = carry.hidden, carry.cell
    a = [W.T @ x for W in gates(params, "kernel", 8)]
    m = [U.T @ h for U in gates(params, "recurrent_kernel", 8)]
    m = [fed_back + b for fed_back, b in zip(m, gates(params, "bias", 8), strict=True)]
    first = np.tanh(sigmoid(a[0] + m[0]) * relu(a[1] + m[1]))
    second = np.tanh(sigmoid(a[2] + m[2]) + relu(a[3] * m[3]))
    third = np.tanh(np.tanh(a[4] + m[4]) * sigmoid(a[5] + m[5]))
    fourth = sigmoid(np.tanh(a[6] + m[6]) + sigmoid(a[7] + m[7]))
    c = np.tanh(first + c) * second
    h = np.tanh(c * np.tanh(third + fourth))
    return type(carry)(hidden=h, cell=c), h


def child_sum(cell: Any, params: Params, carry: Any, x: np.ndarray) -> tuple:
    return tree_node(params, [carry.hidden], [carry.cell], x, type(carry))


def tree_node(
    params: Params, hs: list[Any], cs: list[Any], x: np.ndarray, kind: Any
) -> tuple:
    """Tai 2015, equations 2 to 8: a node of any number of children."""
    (W_i, W_f, W_o, W_g), (U_i, U_f, U_o, U_g), (b_i, b_f, b_o, b_g) = (
        gates(params, name, 4) for name in ("kernel", "recurrent_kernel", "bias")
    )
    total = np.sum([np.zeros_like(b_i), *hs], axis=0)
    i = sigmoid(W_i.T @ x + U_i.T @ total + b_i)
    o = sigmoid(W_o.T @ x + U_o.T @ total + b_o)
    c = i * np.tanh(W_g.T @ x + U_g.T @ total + b_g)
    for h_k, c_k in zip(hs, cs, strict=True):
        c = c + sigmoid(W_f.T @ x + U_f.T @ h_k + b_f) * c_k
    h = o * np.tanh(c)
    return kind(hidden=h, cell=c), h


def n_ary(cell: Any, params: Params, carry: Any, x: np.ndarray) -> tuple:
    absent = [np.zeros_like(carry.hidden)] * (cell.arity - 1)
    hs, cs = [carry.hidden, *absent], [carry.cell, *absent]
    return n_ary_node(params, hs, cs, x, type(carry))


def n_ary_node(
    params: Params, hs: list[Any], cs: list[Any], x: np.ndarray, kind: Any
) -> tuple:
    """Tai 2015, equations 9 to 14: one child a place, zeros where there is none."""
    W_i, W_f, W_o, W_g = gates(params, "kernel", 4)
    b_i, b_f, b_o, b_g = gates(params, "bias", 4)
    U = gates(params, "recurrent_kernel", 3 + len(hs))
    children = np.concatenate(hs)
    i = sigmoid(W_i.T @ x + U[0].T @ children + b_i)
    o = sigmoid(W_o.T @ x + U[1].T @ children + b_o)
    c = i * np.tanh(W_g.T @ x + U[2].T @ children + b_g)
    for c_k, U_f in zip(cs, U[3:], strict=True):
        c = c + sigmoid(W_f.T @ x + U_f.T @ children + b_f) * c_k
    h = o * np.tanh(c)
    return kind(hidden=h, cell=c), h


GATED = {
    "BasicGatedUnit": basic,
    "MGU": mgu,
    "MUT1": mut1,
    "MUT2": mut2,
    "MUT3": mut3,
    "NAS": nas,
    "ChildSumTreeLSTM": child_sum,
    "NaryTreeLSTM": n_ary,
}
