"""States between ONNX and our carries."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxrnn.cell import Cell
from jaxrnn.cells import LSTM, LSTMCarry
from jaxrnn.combine import Bidirectional, BidirectionalCarry, Stack
from jaxrnn.typing import PyTree
from jaxrnn.wrapper import Wrapper


def read_carry(cell: Cell, states: Any) -> PyTree:
    """The carry that ONNX's states are.

    Args:
      cell: as `read` gave it.
      states: `initial_h` `[directions, B, H]`, of an LSTM the pair of it and
        `initial_c`; of a `Stack` one entry for each layer with a memory.

    Returns:
      The carry, for `unroll` and `step`.

    Raises:
      ValueError: for states of another number or another shape, and of a
        `Bidirectional` of two kinds or sizes, which ONNX has two nodes for.

    Example:
      >>> import jaxrnn as jr
      >>> carry = read_carry(jr.LSTM(3), (np.ones((1, 2, 3)), np.zeros((1, 2, 3))))
      >>> carry.hidden.shape
      (2, 3)
    """
    if isinstance(cell, Stack):
        rest = iter(_of_layers(cell, states))
        return tuple(
            read_carry(layer, next(rest)) if layer.has_memory else ()
            for layer in cell.cells
        )
    if isinstance(cell, Wrapper):
        return read_carry(cell.cell, states)
    ways = _directions(cell)
    arrays = _checked(ways, states)
    carries = [
        LSTMCarry(*(array[d] for array in arrays)) if len(arrays) == 2 else arrays[0][d]
        for d in range(len(ways))
    ]
    return BidirectionalCarry(*carries) if len(ways) == 2 else carries[0]


def write_carry(cell: Cell, carry: PyTree) -> Any:
    """The inverse of `read_carry`: of what `unroll` returned, `Y_h` and `Y_c`.

    Example:
      >>> import jaxrnn as jr
      >>> write_carry(jr.GRU(3), jnp.ones((2, 3))).shape
      (1, 2, 3)
    """
    if isinstance(cell, Stack):
        layers = zip(cell.cells, carry, strict=True)
        return [write_carry(layer, own) for layer, own in layers if layer.has_memory]
    if isinstance(cell, Wrapper):
        return write_carry(cell.cell, carry)
    ways = _directions(cell)
    own = carry if len(ways) == 2 else (carry,)
    if not isinstance(ways[0], LSTM):
        return np.stack([np.asarray(state) for state in own])
    pairs = zip(*own, strict=True)
    return tuple(np.stack([np.asarray(s) for s in states]) for states in pairs)


def _of_layers(cell: Stack, states: Sequence[Any]) -> Sequence[Any]:
    count = sum(layer.has_memory for layer in cell.cells)
    if len(states) != count:
        raise ValueError(
            f"`states` must hold one entry for each of the {count} layers with a "
            f"memory, got {len(states)}"
        )
    return states


def _directions(cell: Any) -> list[Any]:
    """The cells of a node's directions, of one kind and size."""
    both = isinstance(cell, Bidirectional)
    ways = [cell.forward, cell.backward] if both else [cell]
    ways = [way.cell if isinstance(way, Wrapper) else way for way in ways]
    if not ways[0].has_memory:
        raise ValueError(f"{cell} has no states")
    if len({(type(way), getattr(way, "hidden_size", None)) for way in ways}) > 1:
        raise ValueError(f"ONNX has no one state of the different directions of {cell}")
    return ways


def _checked(ways: Sequence[Any], states: Any) -> list[Any]:
    """h, or h and c, `[directions, B, H]` each."""
    pair = isinstance(ways[0], LSTM)
    if pair and not (isinstance(states, tuple | list) and len(states) == 2):
        raise ValueError(f"`states` of {ways[0]} must be a pair, h and c")
    arrays = [jnp.asarray(state) for state in (states if pair else [states])]
    for array in arrays:
        if array.ndim != 3 or len(array) != len(ways):
            raise ValueError(
                f"`states` must be of shape [{len(ways)}, B, {ways[0].hidden_size}], "
                f"got {list(array.shape)}"
            )
    return arrays
