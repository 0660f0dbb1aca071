"""Many to one: against a loop over real steps, whatever stands at the others."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxrnn as jr
from drawn import parameters

T, B, N = 6, 4, 3
HOWS = ["last", "mean", "max"]
every_how = pytest.mark.parametrize("how", HOWS)


def drawn(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((T, B)) < rng.random(B)
    mask[:, 0] = False
    return rng.standard_normal((T, B, N)), mask


def oracle(ys, mask, how):
    pooled = np.zeros(ys.shape[1:])
    for b in range(ys.shape[1]):
        real = ys[mask[:, b], b]
        if len(real):
            pooled[b] = {"last": real[-1], "mean": real.mean(0), "max": real.max(0)}[
                how
            ]
    return pooled


@every_how
@settings(max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_equals_a_loop_over_real_steps(how, seed):
    ys, mask = drawn(seed)
    found = jr.pool(ys, how, mask=mask)
    np.testing.assert_allclose(found, oracle(ys, mask, how), 1e-13)


@every_how
def test_padding_changes_no_bit_of_value_and_gradient(how):
    ys, mask = drawn(0)
    weights = np.random.default_rng(1).standard_normal((B, N))
    pulled = lambda ys: jnp.sum(weights * jr.pool(ys, how, mask=mask))
    graded = jax.jit(jax.value_and_grad(pulled))
    expected = graded(np.where(mask[..., None], ys, 0.0))
    assert np.isfinite(expected[1]).all() and not expected[1][~mask].any()
    for junk in (np.nan, np.inf, -np.inf, 1e300):
        got = graded(np.where(mask[..., None], ys, junk))
        jax.tree.map(np.testing.assert_array_equal, got, expected)


@every_how
def test_lengths_batch_major_and_no_padding(how):
    ys, _ = drawn(2)
    lengths = np.array([0, 6, 1, 4])
    mask = np.arange(T)[:, None] < lengths
    expected = oracle(ys, mask, how)
    np.testing.assert_allclose(jr.pool(ys, how, lengths=lengths), expected, 1e-13)
    turned = jr.pool(ys.swapaxes(0, 1), how, mask=mask.T, time_axis=1)
    np.testing.assert_allclose(turned, expected, 1e-13)
    whole = oracle(ys, np.ones((T, B), bool), how)
    np.testing.assert_allclose(jr.pool(ys, how), whole, 1e-13)
    np.testing.assert_allclose(jr.pool(ys[:, 1], how), whole[1], 1e-13)
    assert not jr.pool(ys[:0], how).any()
    assert jr.pool(ys.astype(jnp.bfloat16), how).dtype == jnp.bfloat16


def test_the_last_output_is_the_final_state():
    cell, xs, lengths = jr.Elman(N), drawn(3)[0], np.array([6, 0, 3, 1])
    carry, ys = jr.unroll(cell, parameters(cell, N), xs, lengths=lengths)
    np.testing.assert_array_equal(jr.pool(ys, "last", lengths=lengths), carry)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"how": "sum"},
            ValueError,
            "`how` must be one of 'last', 'mean', 'max', got 'sum'",
        ),
        ({"ys": np.ones((2, 3), int)}, TypeError, "`ys` must be floating, got int64"),
        (
            {"ys": np.ones(3)},
            ValueError,
            "`ys` must have shape [T, *batch, n], got (3,)",
        ),
        (
            {"lengths": np.array([1]), "mask": np.ones((2, 1), bool)},
            ValueError,
            "give `lengths` or `mask`, not both",
        ),
        (
            {"lengths": np.array([3])},
            ValueError,
            "`lengths` must lie in [0, T] = [0, 2], got 3",
        ),
        (
            {"mask": np.ones((1, 2), bool)},
            ValueError,
            "`mask` must have shape (T, *batch) = (2, 1), got (1, 2)",
        ),
    ],
)
def test_bad_arguments(options, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        jr.pool(**({"ys": np.ones((2, 1, 3))} | options))
