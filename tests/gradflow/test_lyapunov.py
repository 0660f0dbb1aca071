"""Lyapunov exponents: of steps that are known matrices, and of parts of sequences."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from jaxrnn.gradflow import lyapunov_exponents

N, H = 2, 3
LINEAR = jr.Elman(H, activation="identity", param_dtype="float64")
PARAMS = parameters(LINEAR, N)


def exponents(matrix, xs, **options):
    params = PARAMS | {"recurrent_kernel": jnp.asarray(matrix)}
    return lyapunov_exponents(LINEAR, params, xs, **options)


def test_of_a_matrix_they_are_the_logarithms_of_its_eigenvalues():
    basis = np.random.default_rng(1).normal(size=(H, H))
    matrix = basis @ np.diag([0.3, 1.2, -0.8]) @ np.linalg.inv(basis)
    found = exponents(matrix, jnp.zeros((3000, 1, N)), count=H)
    np.testing.assert_allclose(found, [np.log([1.2, 0.8, 0.3])], atol=2e-3)


def test_of_the_identity_they_are_zero_and_padding_does_not_count():
    xs = jnp.zeros((50, 3, N))
    lengths = np.array([50, 7, 0])
    found = exponents(np.eye(H), xs, count=2, lengths=lengths)
    np.testing.assert_allclose(found, np.zeros((3, 2)), atol=1e-12)
    found = exponents(0.5 * np.eye(H), xs, count=2, lengths=lengths)
    expected = np.log([[0.5, 0.5], [0.5, 0.5], [1, 1]])
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.slow
def test_no_batch_and_a_whole_stack():
    model = jr.Stack(jr.LSTM(3), jr.Dense(2), jr.GRU(2), param_dtype="float64")
    params = parameters(model, N)
    found = lyapunov_exponents(model, params, jnp.ones((20, N)), count=8)
    assert found.shape == (8,) and bool(jnp.isfinite(found).all())


@pytest.mark.slow
def test_of_a_hundred_thousand_steps():
    found = exponents(np.diag([1.1, 0.9, 0.5]), jnp.zeros((100_000, 1, N)))
    np.testing.assert_allclose(found, [[np.log(1.1)]], atol=1e-4)


@pytest.mark.parametrize(
    ("cell", "options", "message"),
    [
        (LINEAR, {"count": 4}, "`count` must be at most the state's size 3, got 4"),
        (LINEAR, {"count": 0}, "`count` must be at least 1, got 0"),
        (jr.Dense(3), {}, "`cell` must have a carry of floating numbers"),
        (jr.Bidirectional(LINEAR), {}, "`cell` must be one that can step"),
    ],
)
def test_errors(cell, options, message):
    params = cell.init(jax.random.key(0), N)
    with pytest.raises(ValueError, match=re.escape(message)):
        lyapunov_exponents(cell, params, jnp.zeros((4, 1, N)), **options)
