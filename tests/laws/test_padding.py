"""What stands at padded steps reaches nothing; what is held there is exact."""

import jax
import numpy as np

from laws.case import Case, polluted
from laws.gradients import gradients
from laws.harness import (
    BATCH,
    BY_LENGTHS,
    HOLES,
    LEFT_PADDED,
    LENGTHS,
    RESETS,
    STEPS,
    close,
    finite,
    law,
    same_bits,
)

MASKS = [BY_LENGTHS, LEFT_PADDED, HOLES]


@law(cheap=True)
def test_padding_changes_no_bit_of_values(case: Case) -> None:
    for mask in MASKS:
        clean = case.unroll(mask=mask)
        for garbage in range(3):
            same_bits(polluted(case, mask, garbage).unroll(mask=mask), clean)


@law(covered=True)
def test_padding_changes_no_bit_of_values_backwards_with_resets(case: Case) -> None:
    options = {"mask": HOLES, "reset": RESETS, "reverse": True}
    clean = case.unroll(**options)
    for garbage in range(3):
        same_bits(polluted(case, HOLES, garbage).unroll(**options), clean)


@law
def test_padding_changes_no_bit_of_gradients(case: Case) -> None:
    for mask in MASKS:
        clean = gradients(case, mask=mask, reset=RESETS)
        finite(clean)
        for garbage in range(3):
            dirty = gradients(polluted(case, mask, garbage), mask=mask, reset=RESETS)
            same_bits(dirty, clean)


@law(cheap=True)
def test_outputs_are_zero_at_padding(case: Case) -> None:
    for mask in MASKS:
        _, ys = case.unroll(mask=mask)
        assert all((np.asarray(leaf)[~mask] == 0).all() for leaf in jax.tree.leaves(ys))


@law(cheap=True)
def test_lengths_are_their_mask(case: Case) -> None:
    same_bits(case.unroll(lengths=LENGTHS), case.unroll(mask=BY_LENGTHS))


@law(cheap=True)
def test_length_zero_ends_in_the_initial_carry(case: Case) -> None:
    nothing = np.zeros(BATCH, int)
    carry, _ = case.unroll(lengths=nothing)
    same_bits(carry, case.carry)
    carry, _ = case.unroll(lengths=LENGTHS)
    empty = lambda tree: jax.tree.map(lambda a: np.asarray(a)[LENGTHS == 0], tree)
    same_bits(empty(carry), empty(case.carry))


@law
def test_length_zero_has_finite_gradients(case: Case) -> None:
    never = np.zeros((STEPS, BATCH), bool)
    _, (params, xs, _) = gradients(case, mask=never, reset=never)
    assert all((np.asarray(g) == 0).all() for g in jax.tree.leaves((params, xs)))


@law
def test_full_lengths_are_none(case: Case) -> None:
    close(case.unroll(lengths=np.full(BATCH, STEPS)), case.unroll())


@law
def test_more_padding_changes_nothing(case: Case) -> None:
    longer = jax.tree.map(lambda a: np.concatenate([a, a[:4]]), case.xs)
    carry, ys = case.unroll(xs=longer, lengths=LENGTHS)
    ys = jax.tree.map(lambda a: a[:STEPS], ys)
    close((carry, ys), case.unroll(lengths=LENGTHS))
