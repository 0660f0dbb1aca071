"""The loss of outputs that are there: the loop over real steps, and `unroll_loss`."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxrnn as jr
from drawn import parameters

T, B, V = 6, 3, 4
RNG = np.random.default_rng(0)
YS, LABELS = RNG.standard_normal((T, B, V)), RNG.integers(V, size=(T, B))
TARGETS = RNG.standard_normal((T, B, V))
LENGTHS = np.array([6, 0, 3])
MASK = np.arange(T)[:, None] < LENGTHS


def distance(y, target):
    """One of the user's own, whose slope is infinite at zero."""
    return jnp.sqrt(jnp.sum((y - target) ** 2, axis=-1))


LOSSES = {
    "cross-entropy": (jr.cross_entropy, LABELS),
    "soft": (jr.cross_entropy, np.abs(TARGETS)),
    "squared": (jr.squared_error, TARGETS),
    "own": (distance, TARGETS),
}
every_loss = pytest.mark.parametrize(
    ("loss", "targets"), LOSSES.values(), ids=LOSSES.keys()
)


@every_loss
def test_equals_a_loop_over_real_steps(loss, targets):
    real = [
        loss(jnp.asarray(YS[t, b]), jnp.asarray(targets[t, b]))
        for t, b in zip(*np.nonzero(MASK), strict=True)
    ]
    got = jr.sequence_loss(loss, YS, targets, lengths=LENGTHS)
    np.testing.assert_allclose(got, np.mean(real), 1e-12)


@every_loss
def test_padding_changes_no_bit_of_value_and_gradient(loss, targets):
    graded = jax.jit(
        jax.value_and_grad(
            lambda ys, targets, mask: jr.sequence_loss(loss, ys, targets, mask=mask)
        )
    )
    expected = graded(YS, targets, MASK)
    assert all(np.isfinite(a).all() for a in jax.tree.leaves(expected))
    spread = MASK[..., None]
    fill = lambda a, junk: np.where(spread if a.ndim == 3 else MASK, a, junk)
    for junk in (np.nan, np.inf, 1e30):
        label = -100 if targets is LABELS else junk
        got = graded(fill(YS, junk), fill(targets, label), MASK)
        jax.tree.map(np.testing.assert_array_equal, got, expected)
    value, gradient = graded(fill(YS, np.nan), targets, np.zeros((T, B), bool))
    assert value == 0 and not gradient.any()


@pytest.mark.parametrize("reduction", ["mean", "sum", "row mean"])
def test_padded_equals_unpadded(reduction):
    @jax.jit
    def value(ys, labels, lengths):
        options = {"lengths": lengths, "reduction": reduction}
        return jr.sequence_loss(jr.cross_entropy, ys, labels, **options)

    longer = lambda a: np.pad(a, [(0, 3)] + [(0, 0)] * (a.ndim - 1))

    @settings(max_examples=20)
    @given(st.integers(0, 10_000))
    def law(seed):
        rng = np.random.default_rng(seed)
        ys, labels = rng.standard_normal((T, B, V)), rng.integers(V, size=(T, B))
        lengths = rng.integers(T + 1, size=B)
        padded = value(longer(ys), longer(labels), lengths)
        np.testing.assert_allclose(padded, value(ys, labels, lengths), 1e-13)

    law()


@pytest.mark.parametrize("reduction", ["row mean", "none"])
def test_it_is_unroll_loss_without_the_unroll(reduction):
    cell = jr.Elman(V, param_dtype="float64")
    params, xs = parameters(cell, 2), RNG.standard_normal((T, B, 2))
    rest = {"lengths": LENGTHS, "reduction": reduction}
    _, ys = jr.unroll(cell, params, xs, lengths=LENGTHS)
    expected, _ = jr.unroll_loss(cell, params, xs, TARGETS, jr.squared_error, **rest)
    got = jr.sequence_loss(jr.squared_error, ys, TARGETS, **rest)
    np.testing.assert_allclose(got, expected, 1e-13)


def test_without_padding_and_without_a_batch_axis():
    got = jr.sequence_loss(jr.cross_entropy, YS[:, 0], LABELS[:, 0])
    np.testing.assert_allclose(got, jr.cross_entropy(YS[:, 0], LABELS[:, 0]).mean())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lengths": LENGTHS, "mask": MASK}, "give `lengths` or `mask`, not both"),
        (
            {"lengths": np.array([7, 0, 0])},
            "`lengths` must lie in [0, T] = [0, 6], got 7",
        ),
        (
            {"mask": MASK[:, :2]},
            "`ys` must start with the axes (T, *batch) = (6, 2) of `lengths` or "
            "`mask`, got shape (6, 3, 4)",
        ),
        (
            {"lengths": LENGTHS, "targets": LABELS[:5]},
            "`targets` must start with the axes (T, *batch) = (6, 3) of `lengths` or "
            "`mask`, got shape (5, 3)",
        ),
        (
            {"lengths": LENGTHS, "loss": lambda y, target: y},
            "`loss` must give one value a step and row, of shape (T, *batch) = (6, 3), "
            "got (6, 3, 4)",
        ),
    ],
)
def test_bad_arguments(options, message):
    given = {"loss": jr.cross_entropy, "ys": YS, "targets": LABELS} | options
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        jr.sequence_loss(**given)
