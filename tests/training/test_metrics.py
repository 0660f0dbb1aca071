"""Metrics: however the steps are cut into batches, against counts made by hand."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxrnn.training.metrics import (
    F1,
    Accuracy,
    EditDistance,
    Mean,
    Perplexity,
    Total,
    edit_distance,
)

T, B, V = 6, 3, 4
seeds = st.integers(0, 10_000)


def drawn(seed):
    rng = np.random.default_rng(seed)
    logits = 2 * rng.standard_normal((T, B, V))
    return logits, rng.integers(V, size=(T, B)), rng.random((T, B)) < 0.6


def f1_oracle(predictions, labels):
    scores = []
    for v in range(V):
        hits = sum((p, y) == (v, v) for p, y in zip(predictions, labels, strict=True))
        both = sum(p == v for p in predictions) + sum(y == v for y in labels)
        scores.append(2 * hits / both if both else 0.0)
    return scores


class Case:
    """A metric, what it takes of a batch, and its value from all real steps."""

    def __init__(self, empty, batch, oracle):
        self.empty, self.oracle = empty, oracle
        self.update = jax.jit(lambda m, x, y, mask: m.update(*batch(x, y), mask))


def surprise(logits, labels):
    e = np.exp(logits)
    return -np.log(e[np.arange(len(labels)), labels] / e.sum(-1))


CASES = {
    "mean": Case(
        Mean.empty,
        lambda logits, labels: (logits[..., 0],),
        lambda logits, labels: logits[:, 0].mean(),
    ),
    "perplexity": Case(
        Perplexity.empty,
        lambda logits, labels: (logits, labels),
        lambda logits, labels: np.exp(surprise(logits, labels).mean()),
    ),
    "accuracy": Case(
        Accuracy.empty,
        lambda logits, labels: (logits, labels),
        lambda logits, labels: (logits.argmax(-1) == labels).mean(),
    ),
    "f1": Case(
        lambda: F1.empty(V),
        lambda logits, labels: (logits.argmax(-1), labels),
        lambda logits, labels: f1_oracle(logits.argmax(-1), labels),
    ),
}
merge = jax.jit(lambda a, b: a.merge(b))
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@every_case
@settings(max_examples=25)
@given(seed=seeds)
def test_equals_the_value_of_all_real_steps_together(case, seed):
    batches = [drawn(seed), drawn(seed + 1), drawn(seed + 2)]
    metric = case.empty()
    for logits, labels, mask in batches:
        metric = case.update(metric, logits, labels, mask)
    real = [np.concatenate([b[i][b[2]] for b in batches]) for i in (0, 1)]
    np.testing.assert_allclose(metric.value(), case.oracle(*real), 1e-12)


@every_case
@settings(max_examples=25)
@given(seed=seeds)
def test_merging_is_associative_and_in_any_order(case, seed):
    a, b, c = (case.update(case.empty(), *drawn(seed + i)) for i in range(3))
    left = merge(merge(a, b), c).value()
    np.testing.assert_allclose(merge(a, merge(b, c)).value(), left, 1e-14)
    np.testing.assert_allclose(merge(merge(c, a), b).value(), left, 1e-14)
    np.testing.assert_array_equal(a.merge(case.empty()).value(), a.value())


@every_case
def test_padding_changes_no_bit(case):
    logits, labels, mask = drawn(0)
    clean = case.update(case.empty(), logits, labels, mask)
    junk = np.where(mask[..., None], logits, np.nan)
    got = case.update(case.empty(), junk, labels, mask)
    jax.tree.map(np.testing.assert_array_equal, got, clean)


@every_case
def test_nothing(case):
    logits, labels, _ = drawn(0)
    nothing = case.update(case.empty(), logits, labels, np.zeros((T, B), bool))
    jax.tree.map(np.testing.assert_array_equal, nothing, case.empty())
    value = np.asarray(nothing.value())
    assert (value == 0).all() if case is CASES["f1"] else np.isnan(value)


@pytest.mark.parametrize("case", [CASES["perplexity"], CASES["f1"]])
def test_in_a_compiled_loop(case):
    batches = [drawn(i) for i in range(4)]
    stacked = [np.stack(arrays) for arrays in zip(*batches, strict=True)]

    one = lambda metric, batch: (case.update(metric, *batch), None)
    got, _ = jax.jit(lambda xs: jax.lax.scan(one, case.empty(), xs))(stacked)
    metric = case.empty()
    for batch in batches:
        metric, _ = one(metric, batch)
    np.testing.assert_allclose(got.value(), metric.value(), 1e-14)


def test_totals_lose_nothing_in_float32():
    # One float32 would stop at 2^24, and forget a million small numbers beside 1e8.
    with jax.enable_x64(False):
        add = jax.jit(
            lambda total: jax.lax.fori_loop(
                0, 1000, lambda _, t: t.add(jnp.float32(3.0)), total
            )
        )
        total = add(Total.zeros().add(jnp.float32(2.0**30)))
        assert total.high.dtype == np.float32
        assert int(total.high) + int(total.low) == 2**30 + 3000
        rng = np.random.default_rng(0)
        numbers = (rng.random(300) * 10.0 ** rng.uniform(-3, 6, 300)).astype(np.float32)
        halves = [Total.zeros(), Total.zeros()]
        for i, number in enumerate(numbers):
            halves[i % 2] = halves[i % 2].add(number)
        whole = halves[0].merge(halves[1])
    found = np.float64(whole.high) + np.float64(whole.low)
    np.testing.assert_allclose(found, numbers.sum(dtype=np.float64), 1e-13)


def distance_oracle(a, b):
    """The table, cell by cell."""
    table = np.zeros((len(a) + 1, len(b) + 1), int)
    table[:, 0], table[0] = np.arange(len(a) + 1), np.arange(len(b) + 1)
    for i in range(len(a)):
        for j in range(len(b)):
            changed = table[i, j] + (a[i] != b[j])
            table[i + 1, j + 1] = min(table[i, j + 1] + 1, table[i + 1, j] + 1, changed)
    return table[-1, -1]


@settings(max_examples=25)
@given(seeds)
def test_edit_distances(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(3, size=(6, 5)), rng.integers(3, size=(8, 5))
    lengths_a, lengths_b = rng.integers(7, size=5), rng.integers(9, size=5)
    lengths = {"lengths": lengths_a, "label_lengths": lengths_b}
    expected = [
        distance_oracle(a[:n, row], b[:m, row])
        for row, (n, m) in enumerate(zip(lengths_a, lengths_b, strict=True))
    ]
    found = edit_distance(a, b, **lengths)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, expected)
    junk_a = np.where(np.arange(6)[:, None] < lengths_a, a, -7)
    junk_b = np.where(np.arange(8)[:, None] < lengths_b, b, -7)
    np.testing.assert_array_equal(edit_distance(junk_a, junk_b, **lengths), expected)
    turned = {"lengths": lengths_b, "label_lengths": lengths_a}
    np.testing.assert_array_equal(edit_distance(b, a, **turned), expected)
    rate = EditDistance.empty().update(a, b, **lengths)
    twice = rate.merge(rate).update(a, b, **lengths)
    if lengths_b.sum():
        np.testing.assert_allclose(twice.value(), sum(expected) / lengths_b.sum())
    assert int(twice.length.high) == 3 * lengths_b.sum()


def test_edit_distances_of_everything_and_of_nothing():
    word = jnp.arange(4, dtype=jnp.uint8)
    assert int(edit_distance(word, word.astype(jnp.int32))) == 0
    assert int(edit_distance(word, jnp.zeros(0, int))) == 4
    assert np.isnan(EditDistance.empty().value())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: F1.empty(0),
            ValueError,
            "`classes` must be at least 1, got 0",
        ),
        (
            lambda: F1.empty(2).update(np.zeros(3), np.zeros(3, int)),
            TypeError,
            "`predictions` must be integers, got float64",
        ),
        (
            lambda: Accuracy.empty().update(np.zeros((3, 2)), np.zeros((3, 1), int)),
            ValueError,
            "predictions, `labels` and `mask` must have one shape, got (3,), (3, 1) "
            "and (3, 1)",
        ),
        (
            lambda: Accuracy.empty().update(
                np.zeros((3, 2)), np.zeros(3, int), np.ones(3)
            ),
            TypeError,
            "`mask` must be boolean, got float64",
        ),
        (
            lambda: edit_distance(np.zeros((2, 3)), np.zeros((2, 3), int)),
            TypeError,
            "`predictions` must be integers, got float64",
        ),
        (
            lambda: edit_distance(np.zeros((2, 3), int), np.zeros((2, 4), int)),
            ValueError,
            "`predictions` and `labels` must have shapes [N, *batch] and [M, *batch], "
            "got (2, 3) and (2, 4)",
        ),
        (
            lambda: edit_distance(
                np.zeros((2, 1), int),
                np.zeros((2, 1), int),
                label_lengths=np.array([3]),
            ),
            ValueError,
            "`label_lengths` must lie in [0, 2], got 3",
        ),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()
