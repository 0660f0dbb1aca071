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
    if isinstance(cell, Bidirectional):
        both: Any = (cell.forward, cell.backward)
        halves = [_direction(states, slice(d, d + 1)) for d in range(2)]
        return BidirectionalCarry(*map(read_carry, both, halves))
    if isinstance(cell, Wrapper):
        return read_carry(cell.cell, states)
    if isinstance(cell, LSTM):
        return LSTMCarry(*(jnp.asarray(state)[0] for state in states))
    return jnp.asarray(states)[0]


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
    if isinstance(cell, Bidirectional):
        cells: Any = (cell.forward, cell.backward)
        both = zip(cells, carry, strict=True)
        forward, backward = (write_carry(layer, own) for layer, own in both)
        if isinstance(forward, tuple):
            pairs = zip(forward, backward, strict=True)
            return tuple(np.concatenate(pair) for pair in pairs)
        return np.concatenate([forward, backward])
    if isinstance(cell, Wrapper):
        return write_carry(cell.cell, carry)
    if isinstance(cell, LSTM):
        return tuple(np.asarray(state)[None] for state in carry)
    return np.asarray(carry)[None]


def _of_layers(cell: Stack, states: Sequence[Any]) -> Sequence[Any]:
    count = sum(layer.has_memory for layer in cell.cells)
    if len(states) != count:
        raise ValueError(
            f"`states` must hold one entry for each of the {count} layers with a "
            f"memory, got {len(states)}"
        )
    return states


def _direction(states: Any, part: slice) -> Any:
    return tuple(s[part] for s in states) if isinstance(states, tuple) else states[part]
