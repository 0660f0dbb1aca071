"""Weights and states of Equinox's recurrent cells."""

from typing import Any

import jax
import numpy as np

from jaxrnn.cell import Cell
from jaxrnn.cells import GRU, LSTM, Dense, Embed
from jaxrnn.combine import Stack
from jaxrnn.interop.gates import Stored, Table, check_params
from jaxrnn.interop.layers import Arrays, Format, carry_of_states, leaves, states_of
from jaxrnn.interop.same import refuse, refuse_directions, with_update
from jaxrnn.typing import PyTree

_LAYERS = {"LSTMCell": LSTM, "GRUCell": GRU, "Linear": Dense, "Embedding": Embed}
_TABLES: dict[Any, Table] = {
    LSTM: {
        "kernel": Stored("weight_ih", "ifgo", transposed=True),
        "recurrent_kernel": Stored("weight_hh", "ifgo", transposed=True),
        "bias": Stored("bias", "ifgo"),
    },
    GRU: {
        "kernel": Stored("weight_ih", "rzn", transposed=True),
        "recurrent_kernel": Stored("weight_hh", "rzn", transposed=True),
        "bias": Stored("bias", "rzn"),
        "recurrent_bias": Stored("bias_n", "n"),
    },
    Dense: {"kernel": Stored("weight", transposed=True), "bias": Stored("bias")},
    Embed: {"embedding": Stored("weight")},
}


def read(foreign: Any, cell: Any = None) -> Any:
    """The cell and the parameters of an Equinox module, or of several in a row.

    ::

      LSTMCell, GRUCell            LSTM, GRU(reset="after")
      Linear, Embedding            Dense, Embed
      weight_ih.T, weight_hh.T     kernel, recurrent_kernel, with another order of gates
      bias, bias_n                 bias, recurrent_bias; 0 with use_bias=False

    Args:
      foreign: a module, or a list or tuple of them, which are read as a `Stack`.
      cell: what to read it as; None: what it is.

    Returns:
      `(cell, params)`.

    Raises:
      ValueError: for modules that have no counterpart, naming them, and for weights
        that do not fit.
    """
    several = isinstance(foreign, list | tuple)
    modules = foreign if several else (foreign,)
    if cell is None:
        cells = tuple(map(_cell_of, modules))
        cell = Stack(*cells) if several else cells[0]
    arrays: Arrays = {}
    for index, module in enumerate(modules):
        place = f"{index}/" if several else ""
        arrays |= {place + name: a for name, a in _weights(module).items()}
    embeds = _cell_of(modules[0]).input_ndim == 0
    first = next(iter(arrays.values()))
    return cell, _FORMAT.read(cell, None if embeds else first.shape[-1], arrays)


def write(cell: Cell, params: PyTree) -> Any:
    """A cell as an Equinox module: the inverse of `read`.

    Args:
      cell: an `LSTM`, a `GRU(reset="after")`, a `Dense`, an `Embed`, or a `Stack`.
      params: its parameters.

    Returns:
      The module; of a `Stack` a tuple of them.

    Raises:
      ValueError: for what Equinox has no counterpart of, naming it.
    """
    refuse_directions(cell, "Equinox")
    check_params(cell, params)
    modules = tuple(
        _module(leaf, _FORMAT.write(leaf, own)) for _, leaf, own in leaves(cell, params)
    )
    return modules if isinstance(cell, Stack) else modules[0]


def read_carry(cell: Cell, foreign: Any) -> PyTree:
    """The carry from Equinox's: h of a GRU, (h, c) of an LSTM; of a `Stack` a tuple.

    Args:
      cell: the model.
      foreign: arrays `[*batch, H]`, of one cell or one of each cell with a memory.

    Returns:
      The carry of `cell`.

    Raises:
      ValueError: for another number of states than the cell has; for both directions.
    """
    return carry_of_states(cell, foreign, "Equinox")


def write_carry(cell: Cell, carry: PyTree) -> Any:
    """A carry as Equinox's: the inverse of `read_carry`.

    Args:
      cell: the model.
      carry: its carry.

    Raises:
      ValueError: for both directions of a cell, which Equinox has no counterpart of.
    """
    return states_of(cell, carry, "Equinox")


def _fit(cell: Any, own: PyTree) -> tuple[Cell, PyTree]:
    if type(cell) not in _TABLES:
        raise ValueError(f"Equinox has no counterpart of {cell}")
    if isinstance(cell, GRU):
        cell, own = with_update(cell, own, "keep")
    if cell.has_memory:
        refuse(cell, "Equinox", reset="after")
    return cell, own


_FORMAT = Format(_fit, lambda _, cell: _TABLES[type(cell)])


def _cell_of(module: Any) -> Any:
    kind = type(module).__name__
    if kind not in _LAYERS:
        known = ", ".join(_LAYERS)
        raise ValueError(f"{kind} has no counterpart: known are {known}")
    if kind == "Embedding":
        return Embed(*module.weight.shape)
    if kind == "Linear":
        return Dense(module.weight.shape[0])
    H = module.hidden_size
    return LSTM(H) if kind == "LSTMCell" else GRU(H, reset="after")


def _weights(module: Any) -> Arrays:
    """A module's arrays by the names of the tables; biases that it lacks are 0."""
    table = _TABLES[_LAYERS[type(module).__name__]]
    arrays = {name: getattr(module, name) for name, *_ in table.values()}
    wide = next(iter(arrays.values()))
    rows = {"bias": wide.shape[0], "bias_n": wide.shape[0] // 3}
    return {
        name: np.zeros(rows[name], wide.dtype) if array is None else np.asarray(array)
        for name, array in arrays.items()
    }


def _module(cell: Any, arrays: Arrays) -> Any:
    """A module with these arrays."""
    import equinox as eqx

    make = {kind: getattr(eqx.nn, name) for name, kind in _LAYERS.items()}[type(cell)]
    wide, key = next(iter(arrays.values())), jax.random.key(0)
    if isinstance(cell, Embed):
        return make(weight=jax.numpy.asarray(wide))
    out = cell.features if isinstance(cell, Dense) else cell.hidden_size
    module = make(wide.shape[-1], out, key=key)
    where = lambda m: [getattr(m, name) for name in arrays]
    return eqx.tree_at(where, module, [jax.numpy.asarray(a) for a in arrays.values()])
