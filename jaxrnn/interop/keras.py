"""Weights and states of Keras 3's recurrent layers and of models made of them."""

from typing import Any

import numpy as np

from jaxrnn.cell import Cell
from jaxrnn.cells import GRU, LSTM, Dense, Dropout, Elman, Embed, LSTMCarry, Map
from jaxrnn.combine import Stack
from jaxrnn.interop.gates import Stored, Table, as_jax, check_params
from jaxrnn.interop.keras_layers import cells_of, layers_of
from jaxrnn.interop.layers import Arrays, Format, carries, carry_of, leaves
from jaxrnn.interop.same import check_equations, refuse, with_two_biases, with_update
from jaxrnn.typing import PyTree


def read(foreign: Any, cell: Any = None, *, sum_biases: bool = False) -> Any:
    """The cell and the parameters of a Keras layer or of a `Sequential` of such.

    ::

      LSTM, SimpleRNN              LSTM, Elman
      GRU                          GRU(reset="after", recurrent_bias=True)
      GRU(reset_after=False)       GRU(reset="before")
      Bidirectional                Bidirectional
      Sequential                   Stack
      Embedding, Dense, Dropout    Embed, Dense (and Map), Dropout
      kernel, recurrent_kernel     with another order of gates
      bias [2, 3H]                 bias, recurrent_bias; 0 with use_bias=False

    `return_sequences` is no part of a cell: `unroll` returns every output, and the last
    one in the carry. Of both directions the last states are those of both carries,
    which no later layer of a `Stack` reads: inside a Sequential it is refused.

    Args:
      foreign: a layer that has been built, or a model.
      cell: what to read it as; None: what it is.
      sum_biases: whether to hold one bias, the sum, in place of two of a GRU.

    Returns:
      `(cell, params)`.

    Raises:
      TypeError: for what is neither a layer nor a `Sequential`.
      ValueError: for layers and options that have no counterpart, or that `cell` has
        not, naming them; for weights that are missing, too many or misshapen; for two
        biases where `cell` holds one, unless `sum_biases`.
    """
    cells, arrays = [], []
    for layer in layers_of(foreign):
        found = cells_of(layer, one_bias=sum_biases)
        cells += found
        arrays += [_weights(layer), *[{}] * (len(found) - 1)]
    if len(cells) == 1:
        (whole,), (named,) = cells, arrays
    else:
        whole = Stack(*cells)
        named = {
            f"{index}/{name}": array
            for index, own in enumerate(arrays)
            for name, array in own.items()
        }
    cell = whole if cell is None else cell
    check_equations(cell, whole)
    return cell, _format().read(cell, _inputs(named), named, sum_biases=sum_biases)


def write(cell: Cell, params: PyTree) -> list[np.ndarray]:
    """A cell's parameters as Keras' `set_weights` takes them: the inverse of `read`.

    Args:
      cell: an `LSTM`, a `GRU` or an `Elman`, a `Bidirectional` of them, an `Embed`, a
        `Dense`, or a `Stack` of such. The second bias of a `GRU(reset="after")` that
        holds one for z and r is 0 there.
      params: its parameters.

    Returns:
      A list of arrays, for a layer or a model with biases.

    Raises:
      ValueError: for what Keras has no counterpart of, naming it; for parameters of
        another cell, with every difference.
    """
    check_params(cell, params)
    return list(_format().write(cell, params).values())


def read_carry(cell: Cell, foreign: Any) -> PyTree:
    """The carry from the states of Keras' layers, one list: h, or h and c, of each.

    Args:
      cell: the model.
      foreign: arrays `[B, H]`, forwards before backwards.

    Returns:
      The carry of `cell`.

    Raises:
      ValueError: for another number of states than the cell has.
    """
    kinds = [leaf for _, leaf, _ in leaves(cell) if leaf.has_memory]
    count = sum(1 + isinstance(leaf, LSTM) for leaf in kinds)
    if len(foreign) != count:
        raise ValueError(
            f"`foreign` must hold {count} states for {cell}, got {len(foreign)}"
        )
    states = iter([as_jax(np.asarray(state), "state") for state in foreign])
    take = lambda leaf: (
        LSTMCarry(next(states), next(states))
        if isinstance(leaf, LSTM)
        else next(states)
    )
    return carry_of(cell, [take(leaf) for leaf in kinds])


def write_carry(cell: Cell, carry: PyTree) -> list[np.ndarray]:
    """A carry as the states of Keras' layers: the inverse of `read_carry`.

    Args:
      cell: the model.
      carry: its carry.

    Returns:
      Arrays `[B, H]`: an `initial_state`, where it is of one layer.
    """
    states: list[Any] = []
    for part in carries(cell, carry):
        states += [part.hidden, part.cell] if isinstance(part, LSTMCarry) else [part]
    return [np.asarray(state) for state in states]


def _format() -> Format:
    return Format(_fit, lambda _, cell: _TABLES[type(cell)], pack=_pack, unpack=_unpack)


_TABLES: dict[Any, Table] = {
    kind: {
        "kernel": Stored("kernel", gates),
        "recurrent_kernel": Stored("recurrent_kernel", gates),
        "bias": Stored("bias", gates),
        "recurrent_bias": Stored("recurrent_bias", gates),
    }
    for kind, gates in ((LSTM, "ifgo"), (GRU, "zrn"), (Elman, ""))
} | {
    Embed: {"embedding": Stored("embeddings")},
    Dense: {"kernel": Stored("kernel"), "bias": Stored("bias")},
    Dropout: {},
    Map: {},
}


def _fit(cell: Any, own: PyTree) -> tuple[Cell, PyTree]:
    if type(cell) not in _TABLES:
        raise ValueError(f"Keras has no counterpart of {cell}")
    known: tuple[str, ...] = ("activation", "gate_activation")
    if isinstance(cell, GRU):
        cell, own = with_update(cell, own, "keep")
        if cell.reset == "after":
            cell, own = with_two_biases(cell, own)
            known = (*known, "reset", "recurrent_bias")
    if cell.has_memory:
        refuse(cell, "Keras", known)
    return cell, own


def _pack(cell: Any, arrays: Arrays) -> Arrays:
    """Both biases of a GRU as the rows of one array."""
    if "recurrent_bias" not in arrays:
        return arrays
    rest = {name: array for name, array in arrays.items() if "bias" not in name}
    return rest | {"bias": np.stack([arrays["bias"], arrays["recurrent_bias"]])}


def _unpack(cell: Any, arrays: Arrays) -> Arrays:
    if arrays.get("bias", np.zeros(0)).ndim < 2:
        return arrays
    return arrays | dict(zip(("bias", "recurrent_bias"), arrays["bias"], strict=True))


def _weights(layer: Any) -> Arrays:
    """A layer's arrays by the names of the tables; biases that it lacks are 0."""
    if type(layer).__name__ == "Bidirectional":
        both = {"forward": layer.forward_layer, "backward": layer.backward_layer}
        return {
            f"{side}/{name}": array
            for side, part in both.items()
            for name, array in _weights(part).items()
        }
    if not layer.built:
        raise ValueError(
            f"`{layer.name}` has no weights yet: build it, or call it once"
        )
    owner = getattr(layer, "cell", layer)
    names = ("kernel", "recurrent_kernel", "bias", "embeddings")
    found = {name: getattr(owner, name, None) for name in names}
    arrays = {name: _array(value) for name, value in found.items() if value is not None}
    if "kernel" in arrays and "bias" not in arrays:
        width = arrays["kernel"].shape[-1:]
        two = getattr(owner, "reset_after", False)
        arrays["bias"] = np.zeros((2, *width) if two else width, arrays["kernel"].dtype)
    return arrays


def _array(value: Any) -> np.ndarray:
    """What a Keras variable holds, by whatever backend."""
    value = getattr(value, "value", value)
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)


def _inputs(arrays: Arrays) -> int | None:
    """The size of the inputs: the rows of the first matrix; None for token ids."""
    name, first = next(iter(arrays.items()), ("", np.zeros(0)))
    return first.shape[0] if name.endswith("kernel") else None
