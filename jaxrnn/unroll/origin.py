"""What a run through time begins with."""

from typing import NamedTuple

import jax

from jaxrnn.cell import Cell, sequence_key
from jaxrnn.typing import Array, Key, PyTree, Shape
from jaxrnn.unroll.contract import check_given_carry, check_initial_carry


class Origin(NamedTuple):
    """The arguments of `unroll` that belong to no step.

    Attributes:
      params: of the cell.
      carry: the state to start from; None: the cell's initial carry.
      key: randomness; None: evaluation.
      start: the number of the first step.
      context: what `prepare` may look at.
    """

    params: PyTree
    carry: PyTree
    key: Key | None
    start: int | Array
    context: PyTree

    def begin(
        self, cell: Cell, xs: PyTree, batch_shape: Shape
    ) -> tuple[PyTree, PyTree]:
        """Prepared parameters, and the carry before the first step, checked."""
        leaves = jax.tree.leaves(xs)
        ready = cell.prepare(
            self.params,
            input_shape=leaves[0].shape[1:] if len(leaves) == 1 else None,
            key=sequence_key(self.key),
            context=self.context,
        )
        initial = cell.initial_carry(ready, batch_shape)
        initial = check_initial_carry(cell, initial, batch_shape)
        if self.carry is None:
            return ready, initial
        return ready, check_given_carry(self.carry, initial)
