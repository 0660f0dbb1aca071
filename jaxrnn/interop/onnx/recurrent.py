"""One recurrent node of a graph as a cell."""

from collections.abc import Mapping, Set
from typing import Any

import numpy as np

from jaxrnn.combine import Bidirectional, LearnedCarry, Reverse
from jaxrnn.interop.gates import as_jax
from jaxrnn.interop.onnx.forms import Model
from jaxrnn.interop.onnx.graph import Graph
from jaxrnn.interop.onnx.operators import directions, to_cells

INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")


def cell_of(
    graph: Graph,
    name: str,
    stated: Mapping[str, Any],
    given: Mapping[str, str],
    *,
    taken: Set[str | None] = frozenset(),
) -> Model:
    """The cell that an LSTM, a GRU or an RNN node is, with its parameters.

    Args:
      graph: where its inputs are found.
      name: of the operator.
      stated: the node's attributes.
      given: the names of its inputs, by what the operator calls them.
      taken: inputs of the graph that no initial state may be made of.

    Raises:
      ValueError: for what has no counterpart.
    """
    weights = {
        key: graph.array(given[key], f"`{key}`")
        for key in ("W", "R", "B", "P")
        if key in given
    }
    cells = to_cells(name, stated, weights)
    names = ("initial_h", "initial_c")[: 1 + (name == "LSTM")]
    _check_inputs(graph, given, names, taken)
    sizes = len(cells), cells[0][0].hidden_size
    states = _states(graph, given, names, sizes, layout=stated.get("layout", 0))
    if states:
        rows = [[state[d] for state in states] for d in range(len(cells))]
        cells = [_starting(*pair) for pair in zip(cells, rows, strict=True)]
    return _directed(cells, directions(stated))


def _check_inputs(
    graph: Graph, given: Mapping[str, str], names: tuple[str, ...], taken: Set[Any]
) -> None:
    """Raise for initial states of another operator, or of the sequence itself."""
    if "initial_c" in given and "initial_c" not in names:
        raise ValueError("`initial_c` is of an LSTM alone")
    for name in names:
        found = sorted(graph.sources(given.get(name, "")) & taken)
        if found:
            raise ValueError(f"`{name}` must not be computed from {', '.join(found)}")


def _states(
    graph: Graph,
    given: Mapping[str, str],
    names: tuple[str, ...],
    sizes: tuple[int, int],
    *,
    layout: int,
) -> list[np.ndarray]:
    """Constant initial states, `[directions, size]` each; none if they are 0."""
    arrays: dict[str, np.ndarray] = {}
    moving = [n for n in names if n in given and graph.only_number(given[n]) != 0]
    for name in moving:
        array = graph.row(given[name])
        if array is not None:
            repeated = given[name] not in graph.constants
            array = _three_axes(array, name, layout)
            arrays[name] = _one_row(array, name, sizes, repeated=repeated)
        elif not graph.given(given[name]):
            raise ValueError(f"`{name}` must be an input or constant")
    if not arrays:
        return []
    if len(arrays) < len(moving):
        raise ValueError("initial states must be inputs or constants, not one each")
    zeros = np.zeros_like(next(iter(arrays.values())))
    return [arrays.get(name, zeros) for name in names]


def _three_axes(array: np.ndarray, name: str, layout: int) -> np.ndarray:
    if array.ndim > 3:
        raise ValueError(f"`{name}` must have 3 axes, got {array.ndim}")
    array = array.reshape(*(1,) * (3 - array.ndim), *array.shape)
    return array.swapaxes(0, 1) if layout else array


def _one_row(
    array: np.ndarray, name: str, sizes: tuple[int, int], *, repeated: bool
) -> np.ndarray:
    """`[directions, size]` of `[directions, B, size]`, alike in every row."""
    allowed = [(size, 1) if repeated else (size,) for size in sizes]
    directions, rows, size = array.shape
    if directions not in allowed[0] or size not in allowed[1] or not rows:
        raise ValueError(
            f"`{name}` must be of {sizes[0]} directions and size {sizes[1]}, got "
            f"{list(array.shape)}"
        )
    if (array != array[:, :1]).any():
        raise ValueError(f"`{name}` must be the same in every row")
    return np.broadcast_to(array[:, 0], sizes)


def _starting(model: Model, states: list[np.ndarray]) -> Model:
    cell, params = model
    carry = tuple(as_jax(state, "initial state") for state in states)
    return LearnedCarry(cell), {"cell": params, "carry": carry}


def _directed(models: list[Model], ways: tuple[str, ...]) -> Model:
    """One cell of a node's directions."""
    cells, params = zip(*models, strict=True)
    if len(ways) == 2:
        both = dict(zip(("forward", "backward"), params, strict=True))
        return Bidirectional(*cells), both
    if ways == ("reverse",):
        return Reverse(cells[0]), {"cell": params[0]}
    return models[0]
