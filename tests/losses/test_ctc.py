"""CTC: against the sum over all paths, at padding, and where it is impossible."""

import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrnn.losses import ctc_loss, reduce

# Optax mixes float32 masks with float64 logits.
pytestmark = pytest.mark.usefixtures("standard_promotion")

V, BLANK = 4, 2
RNG = np.random.default_rng(0)
T, N = 5, 3
# A row each: plain, a repeat, no labels, one step, as long as can be, a step too short
# for its repeat, longer than the row, no steps at all, nothing at all.
ROWS = [
    (5, [0, 1]),
    (4, [3, 3]),
    (3, []),
    (1, [1]),
    (3, [0, 1, 3]),
    (3, [1, 1, 0]),
    (2, [0, 1, 0]),
    (0, [3]),
    (0, []),
]
FEASIBLE = np.array([True, True, True, True, True, False, False, False, True])
LENGTHS = np.array([steps for steps, _ in ROWS])
LABEL_LENGTHS = np.array([len(labels) for _, labels in ROWS])
LABELS = np.array([(row + [1] * N)[:N] for _, row in ROWS]).T  # padded with a label
LOGITS = 2 * RNG.standard_normal((T, len(ROWS), V))
OPTIONS = {"lengths": LENGTHS, "label_lengths": LABEL_LENGTHS, "blank": BLANK}


def merged(path):
    """Repeats merged, then blanks dropped."""
    return [label for label, _ in itertools.groupby(path) if label != BLANK]


def brute_force(logits, labels):
    """-log of the sum of all paths that are the labels; infinite if there is none."""
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    paths = itertools.product(range(V), repeat=len(p))
    total = sum(
        np.prod([p[t, v] for t, v in enumerate(path)])
        for path in paths
        if merged(path) == labels
    )
    return -np.log(total) if total else np.inf


@pytest.fixture(scope="module")
def graded():
    def summed(logits, labels):
        losses, feasible = ctc_loss(logits, labels, **OPTIONS)
        return jnp.sum(losses), (losses, feasible)

    return jax.jit(jax.value_and_grad(summed, has_aux=True))


def test_equals_the_sum_over_all_paths(graded):
    (_, (losses, feasible)), gradient = graded(LOGITS, LABELS)
    expected = np.array(
        [
            brute_force(LOGITS[:steps, b], labels)
            for b, (steps, labels) in enumerate(ROWS)
        ]
    )
    np.testing.assert_array_equal(feasible, FEASIBLE)
    np.testing.assert_array_equal(feasible, np.isfinite(expected))
    np.testing.assert_allclose(losses, np.where(FEASIBLE, expected, 0), 1e-7, 1e-12)
    assert np.isfinite(gradient).all()
    assert not gradient[:, ~FEASIBLE].any()
    real = np.arange(T)[:, None] < LENGTHS
    assert not gradient[~real].any() and gradient[real & FEASIBLE].any()


def test_gradient_equals_finite_differences(graded):
    _, gradient = graded(LOGITS, LABELS)
    direction = np.random.default_rng(1).standard_normal(LOGITS.shape)
    moved = lambda e: graded(LOGITS + e * direction, LABELS)[0][1][0]
    slopes = np.sum(gradient * direction, axis=(0, 2))
    np.testing.assert_allclose(slopes, (moved(1e-6) - moved(-1e-6)) / 2e-6, 1e-6)


def test_padding_changes_no_bit(graded):
    expected = graded(LOGITS, LABELS)
    unreal = np.arange(T)[:, None] >= LENGTHS
    beyond = np.arange(N)[:, None] >= LABEL_LENGTHS
    for junk, label in ((np.nan, -1), (np.inf, 10**6), (1e30, BLANK)):
        logits = np.where(unreal[..., None], junk, LOGITS)
        got = graded(logits, np.where(beyond, label, LABELS))
        jax.tree.map(np.testing.assert_array_equal, got, expected)


def test_an_infeasible_row_may_hold_anything(graded):
    logits = np.where(FEASIBLE[:, None], LOGITS, np.nan)
    jax.tree.map(
        np.testing.assert_array_equal, graded(logits, LABELS), graded(LOGITS, LABELS)
    )


def test_the_mean_is_of_the_feasible_rows(graded):
    (_, (losses, feasible)), _ = graded(LOGITS, LABELS)
    np.testing.assert_allclose(
        reduce(losses, feasible), np.asarray(losses)[FEASIBLE].mean(), 1e-14
    )
    assert int(jnp.sum(~feasible)) == 3


def test_more_padding_and_any_batch_axes_change_nothing(graded):
    square = lambda a: a.reshape(*a.shape[: a.ndim - 1], 3, 3)
    more = lambda a, n: np.pad(a, [(0, n)] + [(0, 0)] * (a.ndim - 1))
    lengths = {name: square(OPTIONS[name]) for name in ("lengths", "label_lengths")}
    compiled = jax.jit(lambda x, y: ctc_loss(x, y, blank=BLANK, **lengths))
    losses, feasible = compiled(
        more(LOGITS.reshape(T, 3, 3, V), 3), more(square(LABELS), 2)
    )
    (_, expected), _ = graded(LOGITS, LABELS)
    np.testing.assert_allclose(losses, square(np.asarray(expected[0])), 1e-12)
    np.testing.assert_array_equal(feasible, square(np.asarray(expected[1])))


@pytest.mark.parametrize("rows", [(), pytest.param((0,), marks=pytest.mark.slow)])
def test_no_steps_and_no_labels(rows):
    losses, feasible = jax.jit(ctc_loss)(
        np.zeros((0, *rows, V)), np.zeros((0, *rows), int)
    )
    assert losses.shape == rows and feasible.all() and not losses.any()


def test_an_unknown_label_under_jit_is_impossible(graded):
    labels = LABELS.copy()
    labels[0, 0], labels[1, 1] = V, BLANK
    (_, (losses, feasible)), _ = graded(LOGITS, labels)
    assert not feasible[:2].any() and not losses[:2].any()
    np.testing.assert_array_equal(feasible[2:], FEASIBLE[2:])


def test_low_precision_is_computed_in_float32(graded):
    logits = jnp.asarray(LOGITS, jnp.bfloat16)
    with jax.enable_x64(False):
        losses, _ = jax.jit(lambda x: ctc_loss(x, LABELS, **OPTIONS))(logits)
    assert losses.dtype == np.float32
    (_, (exact, _)), _ = graded(np.asarray(logits, np.float64), LABELS)
    np.testing.assert_allclose(losses, exact, 1e-5)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"logits": np.zeros((2, 3, 4), int)},
            TypeError,
            "`logits` must be floating, got int64",
        ),
        (
            {"labels": np.zeros((1, 3))},
            TypeError,
            "`labels` must be integers, got float64",
        ),
        (
            {"logits": np.zeros(4)},
            ValueError,
            "`logits` must have shape [T, *batch, V], V at least 1, got (4,)",
        ),
        (
            {"labels": np.ones((3, 1), int)},
            ValueError,
            "`labels` must have shape [N, *batch], of the batch of `logits`, (3,), "
            "got (3, 1)",
        ),
        (
            {"labels": np.array([[1, 4, 2]])},
            ValueError,
            "`labels` must lie in [0, V) = [0, 4) without the blank, 0, got 4",
        ),
        (
            {"labels": np.array([[1, 0, 2]])},
            ValueError,
            "`labels` must lie in [0, V) = [0, 4) without the blank, 0, got 0",
        ),
        ({"blank": 4}, ValueError, "`blank` must lie in [0, V) = [0, 4), got 4"),
        (
            {"lengths": np.ones(3)},
            TypeError,
            "`lengths` must be integers, got float64",
        ),
        (
            {"lengths": np.array([1, 3, 2])},
            ValueError,
            "`lengths` must lie in [0, 2], got 3",
        ),
        (
            {"label_lengths": np.array([1, -1, 0])},
            ValueError,
            "`label_lengths` must lie in [0, 1], got -1",
        ),
        (
            {"label_lengths": np.array([[1, 1, 0]])},
            ValueError,
            "`label_lengths` must have the batch's shape (3,), got (1, 3)",
        ),
    ],
)
def test_bad_arguments(changes, error, message):
    arguments = {"logits": np.zeros((2, 3, 4)), "labels": np.ones((1, 3), int)}
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        ctc_loss(**(arguments | changes))
