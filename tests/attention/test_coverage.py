"""The loss of looking twice, step by step."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrnn.attention import coverage_loss
from laws.harness import close, same_bits

T, B, S = 5, 3, 4
RNG = np.random.default_rng(0)
ALIGNMENTS = RNG.dirichlet(np.ones(S), size=(T, B))
MASK = np.arange(T)[:, None] < np.array([5, 2, 0])


def by_hand(b, steps):
    total, covered = [], np.zeros(S)
    for t in range(steps):
        total.append(sum(min(ALIGNMENTS[t, b, s], covered[s]) for s in range(S)))
        covered = covered + ALIGNMENTS[t, b]
    return total


def test_is_its_equation():
    rows = [by_hand(b, T) for b in range(B)]
    close(coverage_loss(ALIGNMENTS, reduction="none"), np.stack(rows, axis=1))
    close(coverage_loss(ALIGNMENTS), np.sum(rows))
    close(coverage_loss(ALIGNMENTS, reduction="mean"), np.mean(rows))


def test_only_real_steps_cost_and_cover():
    expected = sum(by_hand(0, 5)) + sum(by_hand(1, 2))
    close(coverage_loss(ALIGNMENTS, MASK), np.asarray(expected))
    junk = np.where(MASK[..., None], ALIGNMENTS, np.nan)
    slope = jax.grad(lambda a: coverage_loss(a, MASK))
    same_bits(slope(jnp.asarray(junk)), slope(jnp.asarray(ALIGNMENTS)))


def test_half_precision_adds_up_in_float32():
    half = jnp.asarray(ALIGNMENTS, jnp.bfloat16)
    assert coverage_loss(half).dtype == jnp.float32


ERRORS = {
    "integers": (
        lambda: coverage_loss(np.ones((3, 2), int)),
        TypeError,
        "`alignments` must be floating, got int64",
    ),
    "one_axis": (
        lambda: coverage_loss(np.ones(3)),
        ValueError,
        "`alignments` must have shape [T, *batch, S], got (3,)",
    ),
    "mask": (
        lambda: coverage_loss(ALIGNMENTS, MASK[:2]),
        ValueError,
        "`mask` must have shape (T, *batch) = (5, 3), got (2, 3)",
    ),
}


@pytest.mark.parametrize("call, error, message", ERRORS.values(), ids=ERRORS.keys())
def test_errors(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        call()
