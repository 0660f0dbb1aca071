"""Weights and states of Keras 3's recurrent layers and of models made of them."""

from typing import Any

import numpy as np

from jaxrnn.cell import Cell
from jaxrnn.cells import GRU, LSTM, Dense, Dropout, Elman, Embed, LSTMCarry, Map
from jaxrnn.combine import Bidirectional, Stack
from jaxrnn.interop.gates import Stored, Table, as_jax
from jaxrnn.interop.layers import Arrays, Format, carries, carry_of, leaves
from jaxrnn.interop.same import refuse, with_two_biases, with_update
from jaxrnn.typing import PyTree

_RECURRENT: dict[str, Any] = {"LSTM": LSTM, "GRU": GRU, "SimpleRNN": Elman}
_FUNCTIONS = {
    "tanh": "tanh",
    "relu": "relu",
    "sigmoid": "sigmoid",
    "linear": "identity",
}
_GATES = _FUNCTIONS | {"hard_sigmoid": "hard_sigmoid"}
_MERGES = {"concat": "concat", "sum": "sum", "ave": "average"}
# What a recurrent layer must be set to, where our cells know nothing else.
_PLAIN = {
    "go_backwards": False,
    "dropout": 0.0,
    "recurrent_dropout": 0.0,
}


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
    one in the carry.

    Args:
      foreign: a layer that has been built, or a model.
      cell: what to read it as; None: what it is.
      sum_biases: whether to hold one bias, the sum, in place of two of a GRU.

    Returns:
      `(cell, params)`.

    Raises:
      ValueError: for layers and options that have no counterpart, naming them; for
        weights that are missing, too many or misshapen; for two biases where `cell`
        holds one, unless `sum_biases`.
    """
    cells, arrays = [], []
    for layer in _layers(foreign):
        found = _cells_of(layer, one_bias=sum_biases)
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
      ValueError: for what Keras has no counterpart of, naming it.
    """
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


def _layers(foreign: Any) -> list[Any]:
    """The layers of a Sequential that do anything; a layer as it is."""
    if type(foreign).__name__ != "Sequential":
        return [foreign]
    return [layer for layer in foreign.layers if type(layer).__name__ != "InputLayer"]


def _cells_of(layer: Any, *, one_bias: bool) -> list[Cell]:
    """What a layer is; a `Dense` with an activation is two."""
    kind = type(layer).__name__
    if kind in _RECURRENT:
        return [_recurrent(layer, one_bias=one_bias)]
    if kind == "Bidirectional":
        if layer.merge_mode not in _MERGES:
            raise ValueError(
                f"`merge_mode={layer.merge_mode!r}` of `{layer.name}` has no "
                "counterpart"
            )
        forward = _recurrent(layer.forward_layer, one_bias=one_bias)
        backward = _recurrent(layer.backward_layer, one_bias=one_bias, backwards=True)
        return [Bidirectional(forward, backward, _MERGES[layer.merge_mode])]
    if kind == "Embedding":
        return [Embed(layer.input_dim, layer.output_dim)]
    if kind == "Dropout":
        return [Dropout(layer.rate)]
    if kind == "Dense":
        function = _function(layer, _FUNCTIONS | {"softmax": "softmax"})
        after = [] if function == "identity" else [Map(function)]
        return [Dense(layer.units), *after]
    raise ValueError(
        f"`{layer.name}`, a layer of the kind {kind}, has no counterpart: known are "
        f"{', '.join(_RECURRENT)}, Bidirectional, Embedding, Dropout, Dense and a "
        "Sequential of them"
    )


def _recurrent(layer: Any, *, one_bias: bool, backwards: bool = False) -> Cell:
    kind, config = type(layer).__name__, layer.get_config()
    if kind not in _RECURRENT:
        raise ValueError(
            f"`{layer.name}`, a layer of the kind {kind}, has no counterpart"
        )
    plain = _PLAIN | {"go_backwards": backwards}
    wrong = [name for name, value in plain.items() if config.get(name, value) != value]
    if wrong:
        said = ", ".join(f"`{name}={config[name]!r}`" for name in wrong)
        raise ValueError(f"{said} of `{layer.name}` has no counterpart")
    options: dict[str, Any] = {"activation": _function(layer, _FUNCTIONS)}
    if kind != "SimpleRNN":
        gates = _function(layer, _GATES, "recurrent_activation")
        options["gate_activation"] = gates
    if kind == "GRU":
        after = config["reset_after"]
        options["reset"] = "after" if after else "before"
        options["recurrent_bias"] = after and not one_bias
    return _RECURRENT[kind](layer.units, **options)


def _function(layer: Any, known: dict[str, str], option: str = "activation") -> str:
    name = layer.get_config()[option]
    if name not in known:
        raise ValueError(f"`{option}={name!r}` of `{layer.name}` has no counterpart")
    return known[name]


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
