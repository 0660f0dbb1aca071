"""The one reducer: against a loop over real steps, whatever stands at the others."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax.test_util import check_grads

from jaxrnn.losses import cross_entropy, reduce

T, B = 7, 3
JUNK = [np.nan, np.inf, -np.inf, 1e300]


def drawn(seed, steps=T, rows=B, kept=0.5):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((steps, rows)), rng.random((steps, rows)) < kept


def oracle(values, mask, reduction):
    if reduction == "row mean":
        columns = zip(values.T, mask.T, strict=True)
        means = [np.mean(row[real]) for row, real in columns if real.any()]
        return np.mean(means) if means else 0.0
    real = [values[step] for step in np.ndindex(*values.shape) if mask[step]]
    return sum(real) if reduction == "sum" else sum(real) / max(len(real), 1)


seeds = st.integers(0, 10_000)
reductions = st.sampled_from(["mean", "sum", "row mean"])


@given(seeds, st.sampled_from([(0, 3), (1, 1), (5, 4)]), st.floats(0, 1), reductions)
def test_equals_a_loop_over_real_steps(seed, shape, kept, reduction):
    values, mask = drawn(seed, *shape, kept)
    got = reduce(values, mask, reduction=reduction)
    assert got.shape == () and got.dtype == np.float64
    np.testing.assert_allclose(got, oracle(values, mask, reduction), 1e-12, 1e-14)
    everything = reduce(values, reduction=reduction)
    whole = np.ones_like(mask)
    np.testing.assert_allclose(
        everything, oracle(values, whole, reduction), 1e-12, 1e-14
    )


@given(seeds, reductions, st.sampled_from(JUNK))
def test_padding_reaches_neither_value_nor_gradient(seed, reduction, junk):
    values, mask = drawn(seed)
    reduced = jax.value_and_grad(lambda v: reduce(v, mask, reduction=reduction))
    value, gradient = reduced(jnp.where(mask, values, 0.0))
    junk_value, junk_gradient = reduced(jnp.where(mask, values, junk))
    assert junk_value == value
    np.testing.assert_array_equal(junk_gradient, gradient)
    each_row = np.maximum(mask.sum(0), 1) * max(mask.any(0).sum(), 1)
    weights = {"sum": 1, "mean": 1 / max(mask.sum(), 1), "row mean": 1 / each_row}
    np.testing.assert_allclose(gradient, mask * weights[reduction], rtol=1e-14)


@given(seeds, st.sampled_from([1, 4]), reductions)
def test_more_padding_changes_nothing(seed, more, reduction):
    values, mask = drawn(seed)
    longer = lambda a: np.pad(a, [(0, more), (0, 0)])
    got = reduce(longer(values), longer(mask), reduction=reduction)
    np.testing.assert_allclose(
        got, reduce(values, mask, reduction=reduction), 1e-12, 1e-14
    )


@given(seeds)
def test_rows_together_or_alone(seed):
    values, mask = drawn(seed)
    alone = [float(reduce(values[:, b], mask[:, b], reduction="sum")) for b in range(B)]
    together = float(reduce(values, mask, reduction="sum"))
    np.testing.assert_allclose(together, sum(alone), 1e-12, 1e-14)
    mean = reduce(values, mask)  # steps weigh alike, so short rows do not count more
    np.testing.assert_allclose(mean, together / max(mask.sum(), 1), 1e-12, 1e-14)


@given(seeds, st.integers(1, 3))
def test_rows_of_padding_do_not_count_in_a_row_mean(seed, more):
    values, mask = drawn(seed)
    wider = lambda a: np.pad(a, [(0, 0), (more, 0)])
    got = reduce(wider(values), wider(mask), reduction="row mean")
    expected = oracle(values, mask, "row mean")
    np.testing.assert_allclose(got, expected, 1e-12, 1e-14)


def test_one_row_without_a_batch_axis():
    values, mask = drawn(4)
    mask[0, 0] = True
    row = reduce(values[:, 0], mask[:, 0], reduction="row mean")
    np.testing.assert_allclose(row, np.mean(values[mask[:, 0], 0]), 1e-13)
    with pytest.raises(ValueError, match="needs `values` with a time axis, got a scal"):
        reduce(jnp.ones(()), reduction="row mean")


@pytest.mark.parametrize("reduction", ["mean", "sum", "row mean"])
@pytest.mark.parametrize("junk", JUNK)
def test_nothing_real(reduction, junk):
    values, mask = np.full((T, B), junk), np.zeros((T, B), bool)
    reduced = jax.value_and_grad(lambda v: reduce(v, mask, reduction=reduction))
    value, gradient = reduced(values)
    assert value == 0 and not gradient.any()


def test_none_keeps_the_steps():
    values, mask = drawn(0)
    kept = reduce(np.where(mask, values, np.nan), mask, reduction="none")
    np.testing.assert_array_equal(kept, np.where(mask, values, 0))
    np.testing.assert_array_equal(reduce(values, reduction="none"), values)


def test_derivatives_of_both_modes_and_orders():
    values, mask = drawn(1)
    check_grads(jax.jit(lambda v: reduce(v**3, mask)), (values,), order=2)


def test_jit_and_vmap_change_nothing():
    values, mask = drawn(2)
    np.testing.assert_allclose(
        jax.jit(reduce)(values, mask), reduce(values, mask), 1e-14
    )
    by_row = jax.vmap(reduce, 1)(values, mask)
    np.testing.assert_allclose(
        by_row, [reduce(values[:, b], mask[:, b]) for b in range(B)]
    )


def test_low_precision_is_summed_in_float32():
    values = jnp.ones((5000, 1), jnp.bfloat16)  # in bfloat16 the sum stops at 256
    total = reduce(values, reduction="sum")
    assert total.dtype == np.float32 and total == 5000
    assert reduce(values) == 1


def test_any_loss_goes_through_it():
    rng = np.random.default_rng(3)
    ys, targets = rng.standard_normal((2, T, B, 4))
    labels, mask = rng.integers(4, size=(T, B)), rng.random((T, B)) < 0.5
    squared = lambda y, target: jnp.sum((y - target) ** 2, axis=-1)
    expected = np.mean(
        [np.sum((a - b) ** 2) for a, b in zip(ys[mask], targets[mask], strict=True)]
    )
    np.testing.assert_allclose(reduce(squared(ys, targets), mask), expected, 1e-13)
    rows = ys[mask] - np.log(np.sum(np.exp(ys[mask]), -1, keepdims=True))
    expected = np.mean(
        [-row[label] for row, label in zip(rows, labels[mask], strict=True)]
    )
    np.testing.assert_allclose(reduce(cross_entropy(ys, labels), mask), expected, 1e-13)


@pytest.mark.parametrize(
    ("values", "mask", "reduction", "error", "message"),
    [
        (
            np.ones((2, 3)),
            np.ones((2, 1), bool),
            "mean",
            ValueError,
            "`mask` must have the shape of `values`, (2, 3), one value a step, "
            "got (2, 1)",
        ),
        (
            np.ones((2, 3)),
            np.ones((2, 3)),
            "mean",
            TypeError,
            "`mask` must be boolean, got float64",
        ),
        (
            np.ones((2, 3), int),
            None,
            "mean",
            TypeError,
            "`values` must be floating, got int64",
        ),
        (
            np.ones((2, 3)),
            None,
            "average",
            ValueError,
            "`reduction` must be one of 'mean', 'sum', 'row mean', 'none', "
            "got 'average'",
        ),
    ],
)
def test_bad_arguments(values, mask, reduction, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        reduce(values, mask, reduction=reduction)
