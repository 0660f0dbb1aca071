"""Resets start afresh, and backwards is forwards seen in a mirror."""

import operator

import jax
import numpy as np

from laws.case import Case, begin
from laws.harness import BATCH, HOLES, LENGTHS, STEPS, close, law, stepping

EDGE = 3  # the first step of the second segment


@law(needs=(stepping,))
def test_a_reset_is_a_fresh_start(case: Case) -> None:
    reset = np.zeros((STEPS, BATCH), bool)
    reset[EDGE] = True
    before, after = case.steps(slice(EDGE)), case.steps(slice(EDGE, None))
    for backwards in (False, True):
        whole, ys = case.unroll(reset=reset, reverse=backwards)
        begun, fresh = (after, before) if backwards else (before, after)
        _, first = begun.unroll(reverse=backwards)
        carry, second = fresh.unroll(carry=begin(case)[1], reverse=backwards)
        parts = (second, first) if backwards else (first, second)
        ys_of_parts = jax.tree.map(lambda a, b: np.concatenate([a, b]), *parts)
        close((whole, ys), (carry, ys_of_parts))


@law(covered=True, needs=(stepping,))
def test_a_reset_acts_on_padded_steps_too(case: Case) -> None:
    reset = np.zeros((STEPS, BATCH), bool)
    reset[EDGE] = True
    mask = HOLES.copy()
    mask[EDGE - 1 : EDGE + 1] = False  # on both sides of the edge
    for backwards, later in ((False, slice(EDGE, STEPS)), (True, slice(EDGE))):
        carry, ys = case.unroll(mask=mask, reset=reset, reverse=backwards)
        fresh = case.steps(later).but(carry=None)
        alone = fresh.unroll(mask=mask[later], reverse=backwards)
        close((carry, jax.tree.map(operator.itemgetter(later), ys)), alone)


@law(covered=True)
def test_backwards_is_forwards_flipped(case: Case) -> None:
    flip = lambda tree: jax.tree.map(lambda a: np.flip(a, 0), tree)
    carry, ys = case.but(xs=flip(case.xs)).unroll(mask=HOLES[::-1])
    close(case.unroll(mask=HOLES, reverse=True), (carry, flip(ys)))


@law
def test_backwards_starts_at_each_rows_own_last_step(case: Case) -> None:
    def flip(a):
        out = np.array(a)
        for row, length in enumerate(LENGTHS):
            out[:length, row] = a[:length, row][::-1]
        return out

    carry, ys = case.but(xs=jax.tree.map(flip, case.xs)).unroll(lengths=LENGTHS)
    expected = carry, jax.tree.map(lambda a: flip(np.asarray(a)), ys)
    close(case.unroll(lengths=LENGTHS, reverse=True), expected)
