"""One recurrent node of a graph as a cell."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxrnn.combine import Bidirectional, LearnedCarry, Reverse
from jaxrnn.interop.gates import as_jax
from jaxrnn.interop.onnx.forms import Model
from jaxrnn.interop.onnx.graph import Graph
from jaxrnn.interop.onnx.operators import directions, to_cells

INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")


def cell_of(
    graph: Graph, name: str, stated: Mapping[str, Any], given: Mapping[str, str]
) -> Model:
    """The cell that an LSTM, a GRU or an RNN node is, with its parameters.

    Args:
      graph: where its inputs are found.
      name: of the operator.
      stated: the node's attributes.
      given: the names of its inputs, by what the operator calls them.

    Raises:
      ValueError: for what has no counterpart.
    """
    weights = {
        key: graph.array(given[key], f"`{key}`")
        for key in ("W", "R", "B", "P")
        if key in given
    }
    cells = to_cells(name, stated, weights)
    if given.get("sequence_lens") in graph.constants:
        raise ValueError(
            "`sequence_lens` must be an input, as `unroll` takes `lengths`; "
            "got a constant"
        )
    names = ("initial_h", "initial_c")[: 1 + (name == "LSTM")]
    states = _states(graph, given, names, stated.get("layout", 0))
    if states:
        # One that is repeated may serve both directions.
        rows = [[s[d % len(s)] for s in states] for d in range(len(cells))]
        cells = [_starting(*pair) for pair in zip(cells, rows, strict=True)]
    return _directed(cells, directions(stated))


def _states(
    graph: Graph, given: Mapping[str, str], names: tuple[str, ...], layout: int
) -> list[np.ndarray]:
    """Constant initial states, `[directions, size]` each; none if they are 0."""
    arrays: dict[str, np.ndarray] = {}
    moving = [n for n in names if n in given and graph.only_number(given[n]) != 0]
    for name in moving:
        array = graph.row(given[name])
        if array is not None:
            array = array.reshape(*(1,) * (3 - array.ndim), *array.shape)
            arrays[name] = array.swapaxes(0, 1) if layout else array
            if (arrays[name] != arrays[name][:, :1]).any():
                raise ValueError(f"`{name}` must be the same in every row")
        elif not graph.given(given[name]):
            raise ValueError(f"`{name}` must be an input or constant")
    if not arrays:
        return []
    if len(arrays) < len(moving):
        raise ValueError("initial states must be inputs or constants, not one each")
    zeros = np.zeros_like(next(iter(arrays.values())))
    return [arrays.get(name, zeros)[:, 0] for name in names]


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
