"""Weights and states of Haiku's recurrent cores."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxrnn.cell import Cell
from jaxrnn.cells import GRU, LSTM, Dense, Elman, Embed
from jaxrnn.combine import Stack
from jaxrnn.interop.gates import Stored, Table, check_params
from jaxrnn.interop.layers import Arrays, Format, Place, carry_of_states, states_of
from jaxrnn.interop.same import (
    refuse,
    with_forget_offset,
    with_two_biases,
    with_update,
)
from jaxrnn.typing import PyTree

_NAMES = {
    LSTM: "lstm",
    GRU: "gru",
    Elman: "vanilla_rnn",
    Dense: "linear",
    Embed: "embed",
}
_TABLES: dict[Any, Table] = {
    LSTM: {
        "kernel": Stored("linear/w of x", "igfo"),
        "recurrent_kernel": Stored("linear/w of h", "igfo"),
        "bias": Stored("linear/b", "igfo"),
    },
    GRU: {
        "kernel": Stored("w_i", "zrn"),
        "recurrent_kernel": Stored("w_h", "zrn"),
        "bias": Stored("b", "zrn"),
    },
    Elman: {
        "kernel": Stored("linear/w"),
        "recurrent_kernel": Stored("linear_1/w"),
        "bias": Stored("linear/b"),
        "recurrent_bias": Stored("linear_1/b"),
    },
    Dense: {"kernel": Stored("w"), "bias": Stored("b")},
    Embed: {"embedding": Stored("embeddings")},
}
Params = Mapping[str, Mapping[str, Any]]


def read(
    foreign: Params,
    cell: Any = None,
    *,
    names: Sequence[str] | None = None,
    sum_biases: bool = False,
) -> Any:
    """The cell and the parameters of Haiku's parameters.

    ::

      hk.LSTM                      LSTM(forget_offset=1.0)
      hk.GRU                       GRU(update="replace")
      hk.VanillaRNN                Elman(activation="relu", recurrent_bias=True)
      hk.Linear, hk.Embed          Dense, its bias 0 with with_bias=False; Embed
      lstm/linear: w               kernel above recurrent_kernel, the gates reordered
      gru: w_i, w_h, b             kernel, recurrent_kernel, bias
      vanilla_rnn/linear, linear_1 kernel and bias, recurrent_kernel and recurrent_bias

    Args:
      foreign: what `init` of the transformed function returned, or a part of it.
      cell: what to read it as; None: what it is. Of an `hk.LSTM` or `hk.VanillaRNN`
        with a name of its own the weights do not tell it.
      names: the modules, such as ("embed", "lstm", "lstm_1"), in the order of the
        layers of a `Stack`; other parameters are passed over. None: Haiku's own names.
      sum_biases: whether to hold one bias, the sum, in place of a vanilla network's
        two.

    Returns:
      `(cell, params)`.

    Raises:
      ValueError: for modules that have no counterpart, naming them; for weights that
        are missing, too many, misshapen or not floating, naming each.

    Example:
      >>> import jaxrnn as jr
      >>> weights = {"w_i": np.ones((3, 12)), "w_h": np.ones((4, 12)), "b": np.ones(12)}
      >>> gru = {name: w.astype("float32") for name, w in weights.items()}
      >>> jr.interop.haiku.read({"gru": gru})[0]
      GRU(4, update='replace')
    """
    arrays = _flat(foreign)
    if names is None:
        names = _names(cell) if isinstance(cell, Stack) else (_only(foreign),)
    else:
        if not names:
            raise ValueError("`names` must hold one name a layer, got none")
        mine = tuple(f"{name}/" for name in names)
        arrays = {name: a for name, a in arrays.items() if name.startswith(mine)}
    arrays |= _no_biases(arrays, names)
    if cell is None:
        cells = [_cell_of(name, arrays, sum_biases) for name in names]
        cell = Stack(*cells) if len(cells) > 1 else cells[0]
    size = _inputs(cell, arrays, names[0])
    form = _format(cell, names, two_biases=any("linear_1/b" in n for n in arrays))
    return cell, form.read(cell, size, arrays, sum_biases=sum_biases)


def write(cell: Cell, params: PyTree, *, names: Sequence[str] | None = None) -> Any:
    """A cell's parameters as Haiku's: the inverse of `read`.

    Args:
      cell: an `LSTM`, a `GRU`, an `Elman(activation="relu")`, a `Dense`, an `Embed`, or
        a `Stack` of such. Of an LSTM without `forget_offset` 1 is subtracted from
        b_f, for Haiku adds it, and is rounded. The second bias of an `Elman` that
        holds one is 0.
      params: its parameters.
      names: of the modules, one a layer; None: Haiku's own.

    Returns:
      A dict of dicts of arrays, for `apply`.

    Raises:
      ValueError: for what Haiku has no counterpart of, naming it; for parameters of
        another cell, with every difference.
    """
    form = _format(cell, _names(cell) if names is None else names, two_biases=True)
    check_params(cell, params)
    modules: dict[str, dict[str, np.ndarray]] = {}
    for path, array in form.write(cell, params).items():
        module, _, name = path.rpartition("/")
        modules.setdefault(module, {})[name] = array
    return modules


def read_carry(cell: Cell, foreign: Any) -> PyTree:
    """The carry from Haiku's state: `LSTMState` or h; of a `Stack` a tuple of them.

    Args:
      cell: the model.
      foreign: the state of one core, or of each with a memory.

    Returns:
      The carry of `cell`.

    Raises:
      ValueError: for another number of states than the cell has; for both directions.
    """
    return carry_of_states(cell, foreign, "Haiku")


def write_carry(cell: Cell, carry: PyTree) -> Any:
    """A carry as Haiku's state: the inverse of `read_carry`.

    Args:
      cell: the model.
      carry: its carry.

    Raises:
      ValueError: for both directions of a cell, which Haiku has no counterpart of.
    """

    def pair(*state: Any) -> Any:
        import haiku as hk

        return hk.LSTMState(*state)

    return states_of(cell, carry, "Haiku", pair)


def _format(cell: Cell, names: Sequence[str], *, two_biases: bool = False) -> Format:
    layers = len(_names(cell))
    if len(names) != layers:
        raise ValueError(
            f"`names` must hold one name a layer, {layers}, got {len(names)}"
        )

    def path(place: Place, name: str) -> str:
        return f"{names[place[0] if place else 0]}/{name}"  # type: ignore[index]

    def fit(leaf: Any, own: PyTree) -> tuple[Cell, PyTree]:
        leaf, own = _fit(leaf, own)
        if isinstance(leaf, Elman) and two_biases:
            return with_two_biases(leaf, own)
        return leaf, own

    return Format(fit, lambda _, leaf: _TABLES[type(leaf)], path, _pack, _unpack)


def _fit(cell: Any, own: PyTree) -> tuple[Cell, PyTree]:
    if isinstance(cell, GRU):
        cell, own = with_update(cell, own, "replace")
        refuse(cell, "Haiku", update="replace")
    if isinstance(cell, LSTM):
        cell, own = with_forget_offset(cell, own, 1.0)
        refuse(cell, "Haiku", forget_offset=1.0)
    if isinstance(cell, Elman):
        refuse(cell, "Haiku", ("recurrent_bias",), activation="relu")
    return cell, own


def _pack(cell: Any, arrays: Arrays) -> Arrays:
    """Both kernels of an LSTM as the rows of one matrix."""
    if not isinstance(cell, LSTM):
        return arrays
    both = [arrays["linear/w of x"], arrays["linear/w of h"]]
    return {"linear/w": np.concatenate(both), "linear/b": arrays["linear/b"]}


def _unpack(cell: Any, arrays: Arrays) -> Arrays:
    if not isinstance(cell, LSTM):
        return arrays
    x, h = np.split(arrays["linear/w"], [-cell.hidden_size])
    return {"linear/w of x": x, "linear/w of h": h, "linear/b": arrays["linear/b"]}


def _names(cell: Cell) -> tuple[str, ...]:
    """The modules' names as Haiku gives them: lstm, lstm_1, ..."""
    seen: Counter[str] = Counter()
    names = []
    layers = cell.cells if isinstance(cell, Stack) else (cell,)
    for layer in layers:
        if type(layer) not in _NAMES:
            raise ValueError(f"Haiku has no counterpart of {layer}")
        name = _NAMES[type(layer)]
        names.append(f"{name}_{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return tuple(names)


def _flat(foreign: Params) -> dict[str, Any]:
    return {f"{m}/{name}": a for m, own in foreign.items() for name, a in own.items()}


def _no_biases(arrays: Mapping[str, Any], names: Sequence[str]) -> Arrays:
    """The biases, all 0, of linear layers that hold none."""
    kernels = {f"{name}/b": arrays.get(f"{name}/w") for name in names}
    return {
        bias: np.zeros(w.shape[1:], w.dtype)
        for bias, w in kernels.items()
        if bias not in arrays and isinstance(w, np.ndarray | jax.Array)
    }


def _only(foreign: Params) -> str:
    """The one module, whose parts may be `linear` and `linear_1`."""
    modules = tuple(dict.fromkeys(map(_whole, foreign)))
    if len(modules) != 1:
        raise ValueError(
            f"there are several modules, {', '.join(modules) or 'none'}: give `names`, "
            "those of the layers in their order"
        )
    return modules[0]


def _whole(module: str) -> str:
    """The module that a part, `linear` or `linear_1`, is of."""
    head, _, last = module.rpartition("/")
    return head if head and last in ("linear", "linear_1") else module


def _cell_of(name: str, arrays: Mapping[str, Any], one_bias: bool) -> Any:
    """What a module is, by the names of its arrays."""
    head = f"{name}/"
    own = {n.removeprefix(head): a for n, a in arrays.items() if n.startswith(head)}
    size = lambda key, axis: np.shape(own[key])[axis]
    if own.keys() == {"w_i", "w_h", "b"}:
        return GRU(size("w_h", 0), update="replace")
    called = name.rpartition("/")[2]  # a core of several parts may be any module
    if own.keys() == {"linear/w", "linear/b"} and "lstm" in called:
        H = size("linear/b", 0) // 4
        return LSTM(H, forget_offset=1.0, forget_bias=0.0)
    if own.keys() >= {"linear/w", "linear/b", "linear_1/w"} and "rnn" in called:
        two = "linear_1/b" in own and not one_bias
        return Elman(size("linear_1/w", 0), activation="relu", recurrent_bias=two)
    if own.keys() == {"w", "b"}:
        return Dense(size("b", 0))
    if own.keys() == {"embeddings"}:
        return Embed(*np.shape(own["embeddings"]))
    raise ValueError(
        f"`{name}` is none of {', '.join(_NAMES.values())}: it holds "
        f"{', '.join(own) or 'nothing'}; give `cell`"
    )


def _inputs(cell: Any, arrays: Mapping[str, Any], name: str) -> int | None:
    """The size of the inputs: the rows of the first matrix; None for token ids."""
    first = cell.cells[0] if isinstance(cell, Stack) else cell
    if first.input_ndim == 0:
        return None
    for key in ("linear/w", "w_i", "w"):
        if np.ndim(arrays.get(f"{name}/{key}", ())) == 2:
            rows = int(arrays[f"{name}/{key}"].shape[0])
            return max(1, rows - first.hidden_size) if isinstance(first, LSTM) else rows
    return 1
