"""Models of several cells in a foreign format, one cell after another."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from jaxrnn.cell import Cell
from jaxrnn.cells import LSTMCarry
from jaxrnn.combine import Bidirectional, BidirectionalCarry, Stack
from jaxrnn.interop.gates import Table, check, stored, taken, zeros_of
from jaxrnn.interop.same import (
    refuse_directions,
    with_forget_offset,
    with_one_bias,
    with_update,
)
from jaxrnn.typing import PyTree

Place = tuple[int | str, ...]
Arrays = dict[str, np.ndarray]


def leaves(cell: Any, tree: PyTree = None, place: Place = ()) -> Iterator[tuple]:
    """The cells that are no containers, each as `(place, cell, its part of the tree)`.

    Args:
      cell: the model: a `Stack`, a `Bidirectional`, or one cell.
      tree: its parameters or its carry; None: nothing, of every cell.
      place: where it stands.
    """
    if isinstance(cell, Stack):
        parts = [None] * len(cell.cells) if tree is None else tree
        for index, (layer, part) in enumerate(zip(cell.cells, parts, strict=True)):
            yield from leaves(layer, part, (*place, index))
    elif isinstance(cell, Bidirectional):
        both = tree._asdict() if isinstance(tree, BidirectionalCarry) else tree or {}
        for name in ("forward", "backward"):
            yield from leaves(getattr(cell, name), both.get(name), (*place, name))
    else:
        yield place, cell, tree


def rebuilt(cell: Cell, parts: Iterator[Any], *, carry: bool = False) -> PyTree:
    """The inverse of `leaves`: the tree of a model from the parts of its cells.

    Args:
      cell: the model.
      parts: one of each cell that is no container, in order; of a carry, one of each
        that has a memory.
      carry: whether it is a carry, not parameters.
    """
    if isinstance(cell, Stack):
        return tuple(rebuilt(layer, parts, carry=carry) for layer in cell.cells)
    if isinstance(cell, Bidirectional):
        forward = rebuilt(cell.forward, parts, carry=carry)
        backward = rebuilt(cell.backward, parts, carry=carry)  # type: ignore[arg-type]
        if carry:
            return BidirectionalCarry(forward, backward)
        return {"forward": forward, "backward": backward}
    return () if carry and not cell.has_memory else next(parts)


def carries(cell: Cell, carry: PyTree) -> list[PyTree]:
    """The carries of the cells that have a memory, in order; None of each for None."""
    return [part for _, leaf, part in leaves(cell, carry) if leaf.has_memory]


def carry_of(cell: Cell, parts: list[PyTree]) -> PyTree:
    """The inverse of `carries`."""
    count = len(carries(cell, None))
    if len(parts) != count:
        raise ValueError(
            f"`carry` must hold {count} states for {cell}, got {len(parts)}"
        )
    return rebuilt(cell, iter(parts), carry=True)


def carry_of_states(cell: Cell, foreign: Any, place: str) -> PyTree:
    """The carry from a state of one cell, or from a tuple of those of a `Stack`.

    Args:
      cell: the model.
      foreign: of a cell h, or a tuple (h, c) of an LSTM.
      place: the name of the format, which has one direction alone.
    """
    refuse_directions(cell, place)
    parts = list(foreign) if isinstance(cell, Stack) else [foreign]
    return carry_of(cell, [LSTMCarry(*p) if isinstance(p, tuple) else p for p in parts])


def states_of(
    cell: Cell, carry: PyTree, place: str, pair: Callable[..., Any] = lambda *hc: hc
) -> Any:
    """The inverse of `carry_of_states`; `pair(h, c)` is an LSTM's state there."""
    refuse_directions(cell, place)
    parts = carries(cell, carry)
    states = tuple(pair(*p) if isinstance(p, LSTMCarry) else p for p in parts)
    return states if isinstance(cell, Stack) else states[0]


def _joined(place: Place, name: str) -> str:
    return "/".join(map(str, (*place, name)))


def _as_it_is(cell: Cell, arrays: Arrays) -> Arrays:
    return arrays


@dataclasses.dataclass(frozen=True)
class Format:
    """A foreign format: how it keeps a cell, and where it keeps each of several.

    Attributes:
      fit: a cell and its parameters in the format's convention; raises, naming it, for
        what has no counterpart.
      table: of a cell in the format's convention, and of its place.
      path: the name of an array, from the place of its cell and its name there.
      pack: what the format makes one array of, from a cell's arrays by the table.
      unpack: the inverse of `pack`.
    """

    fit: Callable[[Cell, PyTree], tuple[Cell, PyTree]]
    table: Callable[[Place, Cell], Table]
    path: Callable[[Place, str], str] = _joined
    pack: Callable[[Cell, Arrays], Arrays] = _as_it_is
    unpack: Callable[[Cell, Arrays], Arrays] = _as_it_is

    def write(self, cell: Cell, params: PyTree) -> Arrays:
        """The format's arrays by their names, for a whole model."""
        arrays: Arrays = {}
        for place, leaf, own in leaves(cell, params):
            local = self._stored(place, *self.fit(leaf, own))
            arrays |= {self.path(place, name): array for name, array in local.items()}
        return arrays

    def read(
        self,
        cell: Cell,
        input_size: int | None,
        arrays: Mapping[str, Any],
        *,
        sum_biases: bool = False,
    ) -> PyTree:
        """The parameters of a model from the format's arrays: the inverse of `write`.

        Args:
          cell: the model.
          input_size: of its inputs.
          arrays: all that the format holds of it, and nothing else.
          sum_biases: whether a cell that holds one bias may take the sum of two.

        Raises:
          ValueError: for arrays that are missing, too many, misshapen or not floating,
            naming each; for two biases where the cell holds one.
        """
        like = zeros_of(cell, input_size, arrays)
        check(self.write(cell, like), arrays, f"the weights do not fit {cell}")
        parts = []
        for place, leaf, zeros in leaves(cell, like):
            fitted, zeros = self.fit(leaf, zeros)
            names = self._stored(place, fitted, zeros)
            found = {name: np.asarray(arrays[self.path(place, name)]) for name in names}
            table = self.table(place, fitted)
            own = taken(fitted, zeros, self.unpack(fitted, found), table)
            parts.append(_unfitted(leaf, fitted, own, sum_biases))
        return rebuilt(cell, iter(parts))

    def _stored(self, place: Place, fitted: Cell, own: PyTree) -> Arrays:
        return self.pack(fitted, stored(fitted, own, self.table(place, fitted)))


def _unfitted(leaf: Any, fitted: Any, params: PyTree, sum_biases: bool) -> PyTree:
    """Parameters in the convention of `leaf`, from those of `fitted`."""
    if fitted == leaf:
        return params
    if fitted.recurrent_bias and not leaf.recurrent_bias:
        if not sum_biases:
            raise ValueError(
                f"there are two biases, `bias` and `recurrent_bias`, where {leaf} "
                "holds one: give a cell with `recurrent_bias=True`, or "
                "`sum_biases=True`"
            )
        fitted, params = with_one_bias(fitted, params)
    if hasattr(leaf, "update"):
        fitted, params = with_update(fitted, params, leaf.update)
    if hasattr(leaf, "forget_offset"):
        fitted, params = with_forget_offset(fitted, params, leaf.forget_offset)
    return params
