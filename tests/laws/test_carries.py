"""What a cell remembers can be given, read and collected."""

import jax
import numpy as np

from laws.case import Case, begin, everything, loop
from laws.harness import HOLES, RESETS, close, law, memory, same_bits, stepping
from laws.rows import Row


@law(cheap=True, needs=(stepping, memory))
def test_the_hidden_state_can_be_read_and_replaced(row: Row, case: Case) -> None:
    cell, carry = row.cell, case.carry
    same_bits(cell.with_hidden(carry, cell.hidden(carry)), carry)
    other = 2 * cell.hidden(carry) + 1
    same_bits(cell.hidden(cell.with_hidden(carry, other)), other)


def outputs_hidden(row: Row) -> str | None:
    return None if row.hidden_is_output else "it does not claim to"


@law(cheap=True, needs=(outputs_hidden,))
def test_the_hidden_state_is_the_output(row: Row, case: Case) -> None:
    carry, ys = case.unroll(mask=HOLES)
    hidden, ends = np.asarray(row.cell.hidden(carry)), HOLES[-1]
    assert ends.any()
    close(hidden[ends], np.asarray(ys)[-1][ends])


@law(covered=True)
def test_no_carry_is_the_initial_carry(case: Case) -> None:
    _, initial = begin(case)
    given = case.unroll(carry=initial, mask=HOLES)
    same_bits(given, case.unroll(carry=None, mask=HOLES))


@law(covered=True, needs=(stepping,))
def test_collected_carries_are_those_of_the_steps(case: Case) -> None:
    flags = {"mask": HOLES, "reset": RESETS}
    collected = case.unroll(collect=everything, **flags)
    close(collected, loop(case, **flags))
    close(collected[:2], case.unroll(**flags))


@law(covered=True, needs=(stepping,))
def test_collecting_works_backwards_in_chunks_and_batch_major(case: Case) -> None:
    swap = lambda tree: jax.tree.map(lambda a: np.swapaxes(a, 0, 1), tree)
    carry, ys, carries = case.unroll(
        xs=swap(case.xs),
        mask=HOLES.T,
        time_axis=1,
        checkpoint=2,
        reverse=True,
        collect=everything,
    )
    close((carry, swap(ys), swap(carries)), loop(case, mask=HOLES, reverse=True))
