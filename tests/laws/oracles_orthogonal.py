"""Orthogonal and unitary recurrences, their matrices built out of full ones."""

from typing import Any

import numpy as np

from laws.oracles_parts import FUNCTIONS, Params


def orthogonal(cell: Any, params: Params, h: np.ndarray, x: np.ndarray) -> tuple:
    a, b = params["kernel"].T @ x + h @ transition(cell, params), params["bias"]
    if cell.activation == "modrelu":
        h = np.where(np.abs(a) + b > 0, np.sign(a) * (np.abs(a) + b), 0)
    else:
        h = FUNCTIONS[cell.activation](a + b)
    return h, h


def transition(cell: Any, params: Params) -> np.ndarray:
    if cell.parametrisation == "householder":
        return reflections(params["reflection_kernel"])
    S = params["skew_kernel"]
    # A skew matrix is i times a Hermitian one, so its functions are sums over
    # projections onto eigenvectors, with i * real numbers for eigenvalues.
    values, vectors = np.linalg.eigh((S - S.T) / 1j)
    image = {
        "cayley": (1 - 1j * values) / (1 + 1j * values),
        "exponential": np.exp(1j * values),
    }[cell.parametrisation]
    U = sum(e * np.outer(v, v.conj()) for e, v in zip(image, vectors.T, strict=True))
    np.testing.assert_allclose(U.imag, 0, atol=1e-13)
    return U.real


def reflections(rows: np.ndarray) -> np.ndarray:
    """The product of the rows' reflections, from the left to the right."""
    U = np.eye(rows.shape[1])
    for v in rows:
        U = U @ reflection(v)
    return U


def reflection(v: np.ndarray) -> np.ndarray:
    return np.eye(len(v)) - 2 * np.outer(v, v.conj()) / np.vdot(v, v)


def unitary(cell: Any, params: Params, carry: np.ndarray, x: np.ndarray) -> tuple:
    V = as_complex(params["kernel"]).T
    a = unitary_matrix(cell, params) @ as_complex(carry) + V @ x
    size = np.abs(a)
    scale = np.where(size > 0, np.maximum(size + params["bias"], 0), 0)
    h = scale * a / np.where(size > 0, size, 1)
    h = np.concatenate([h.real, h.imag])
    return h, h


def as_complex(halves: np.ndarray) -> np.ndarray:
    real, imaginary = np.split(halves, 2, axis=-1)
    return real + 1j * imaginary


def unitary_matrix(cell: Any, params: Params) -> np.ndarray:
    """D3 R2 F^-1 D2 P R1 F D1 (Arjovsky 2016, equation 6)."""
    D1, D2, D3 = (np.diag(np.exp(1j * row)) for row in params["phases"])
    R1, R2 = (reflection(v) for v in as_complex(params["reflections"]))
    n = cell.hidden_size
    j = np.arange(n)
    F = np.exp(-2j * np.pi * np.outer(j, j) / n) / np.sqrt(n)
    P = np.zeros((n, n))
    P[j, np.random.default_rng(cell.seed).permutation(n)] = 1
    U = D3 @ R2 @ F.conj().T @ D2 @ P @ R1 @ F @ D1
    np.testing.assert_allclose(U @ U.conj().T, np.eye(n), atol=1e-13)
    return U


ORTHOGONAL = {"OrthogonalRNN": orthogonal, "UnitaryRNN": unitary}
