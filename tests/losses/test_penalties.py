"""AR and TAR against loops over real steps."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax.test_util import check_grads

from jaxrnn.losses import activation_penalty, temporal_penalty

T, B, N = 6, 3, 4
PENALTIES = [activation_penalty, temporal_penalty]


def drawn(seed, kept=0.7):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((T, B, N)), rng.random((T, B)) < kept


def oracle(penalty, states, mask):
    squares = []
    for t, b in np.ndindex(T, B):
        if penalty is activation_penalty and mask[t, b]:
            squares.extend(states[t, b] ** 2)
        if penalty is temporal_penalty and t and mask[t, b] and mask[t - 1, b]:
            squares.extend((states[t, b] - states[t - 1, b]) ** 2)
    return np.mean(squares) if squares else 0.0


@pytest.mark.parametrize("penalty", PENALTIES)
@given(seed=st.integers(0, 10_000), kept=st.floats(0, 1))
def test_equals_a_loop_over_real_steps(penalty, seed, kept):
    states, mask = drawn(seed, kept)
    value = penalty(states, mask)
    np.testing.assert_allclose(value, oracle(penalty, states, mask), 1e-12)
    whole = oracle(penalty, states, np.ones_like(mask))
    np.testing.assert_allclose(penalty(states), whole, 1e-12)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_padding_reaches_neither_value_nor_gradient(penalty):
    states, mask = drawn(0)
    graded = jax.value_and_grad(lambda h: penalty(h, mask))
    clean = graded(np.where(mask[..., None], states, 0.0))
    for junk in (np.nan, np.inf, 1e300):
        got = graded(np.where(mask[..., None], states, junk))
        jax.tree.map(np.testing.assert_array_equal, got, clean)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_nothing_real(penalty):
    states, nothing = np.full((T, B, N), np.nan), np.zeros((T, B), bool)
    value, gradient = jax.value_and_grad(lambda h: penalty(h, nothing))(states)
    assert value == 0 and not gradient.any()
    assert temporal_penalty(jnp.ones((1, B, N))) == 0


@pytest.mark.parametrize("penalty", PENALTIES)
def test_derivatives(penalty):
    states, mask = drawn(1)
    check_grads(jax.jit(lambda h: penalty(h, mask)), (states,), order=1, modes=["rev"])


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize(
    ("states", "mask", "error", "message"),
    [
        (np.ones((2, 3), int), None, TypeError, "`states` must be floating, got int64"),
        (
            np.ones(3),
            None,
            ValueError,
            "`states` must have shape [T, *batch, n], got (3,)",
        ),
        (
            np.ones((2, 3, 4)),
            np.ones((2, 4), bool),
            ValueError,
            "`mask` must be boolean of shape [T, *batch] = (2, 3), got bool[2, 4]",
        ),
        (
            np.ones((2, 3, 4)),
            np.ones((2, 3)),
            ValueError,
            "`mask` must be boolean of shape [T, *batch] = (2, 3), got float64[2, 3]",
        ),
    ],
)
def test_bad_arguments(penalty, states, mask, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        penalty(states, mask)
