"""Weights and states of torch's recurrent modules."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxrnn.cell import Cell
from jaxrnn.cells import GRU, LSTM, Dense, Dropout, Elman, Embed, LSTMCarry
from jaxrnn.checks import kind
from jaxrnn.combine import Bidirectional, Stack
from jaxrnn.interop.gates import Stored, Table, as_jax
from jaxrnn.interop.layers import Format, Place, carries, carry_of
from jaxrnn.interop.same import alike, refuse, with_two_biases, with_update
from jaxrnn.typing import PyTree

_GATES = {LSTM: "ifgo", GRU: "rzn", Elman: ""}


def read(foreign: Any, cell: Any = None, *, sum_biases: bool = False) -> Any:
    """The cell and the parameters of a torch module.

    ::

      nn.LSTM, nn.GRU, nn.RNN      LSTM, GRU(reset="after"), Elman
      bidirectional=True           Bidirectional
      num_layers, dropout          Stack, with Dropout between its layers
      weight_ih_l0.T               kernel, with another order of gates
      weight_hh_l0.T               recurrent_kernel
      weight_hr_l0.T               projection_kernel
      bias_ih_l0, bias_hh_l0       bias, recurrent_bias; 0 with bias=False

    Args:
      foreign: `nn.LSTM`, `nn.GRU`, `nn.RNN`, a cell such as `nn.LSTMCell`, `nn.Linear`,
        `nn.Embedding`, or the `state_dict` of a recurrent one.
      cell: what to read it as; None: what it is. A `state_dict` tells neither a relu
        network from one with tanh nor any dropout.
      sum_biases: whether to hold one bias, the sum, in place of torch's two.

    Returns:
      `(cell, params)`.

    Raises:
      ValueError: for weights that are missing, too many, misshapen or not floating,
        naming each; for two biases where `cell` holds one, unless `sum_biases`.

    Example:
      >>> import jaxrnn as jr
      >>> weights = {"weight_ih_l0": np.ones((8, 3)), "weight_hh_l0": np.ones((8, 2))}
      >>> weights = {name: w.astype("float32") for name, w in weights.items()}
      >>> cell, params = jr.interop.torch.read(weights)
      >>> cell, params["kernel"].shape
      (LSTM(2), (3, 8))
    """
    arrays = {name: _array(value) for name, value in _state(foreign).items()}
    biased = any("bias" in name for name in arrays)
    if cell is None:
        cell = _cell_of(foreign, arrays, two_biases=biased and not sum_biases)
    _check_layers(cell)
    one_cell = "weight_hh" in arrays or "weight_ih" in arrays
    form = _format(cell, biased=biased, one_cell=one_cell)
    return cell, form.read(cell, _inputs(arrays), arrays, sum_biases=sum_biases)


def write(cell: Cell, params: PyTree, *, bias: bool = True) -> dict[str, Any]:
    """A cell's parameters as torch's `state_dict`: the inverse of `read`.

    Args:
      cell: an `LSTM`, a `GRU(reset="after")` or an `Elman`, both directions of one, or
        a `Stack` of such of one size; a `Dense`; an `Embed`. The second bias of a cell
        that holds one is 0.
      params: its parameters.
      bias: False for a module without biases; those of the cell must then be 0.

    Returns:
      A dict of tensors for `load_state_dict`.

    Raises:
      ValueError: for what torch has no counterpart of, naming it.
    """
    _check_layers(cell)
    arrays = _format(cell, biased=bias).write(cell, params)
    return {name: _tensor(array) for name, array in arrays.items()}


def read_carry(cell: Cell, foreign: Any) -> PyTree:
    """The carry from torch's `h_n`, or from `(h_n, c_n)` of an LSTM.

    Args:
      cell: the model.
      foreign: tensors `[layers * directions, B, H]`.

    Returns:
      The carry of `cell`.

    Raises:
      ValueError: for another number of states than the cell has.
    """
    if not isinstance(foreign, tuple):
        return carry_of(cell, [as_jax(h, "h") for h in _array(foreign)])
    pairs = zip(*map(_array, foreign), strict=True)
    return carry_of(cell, [LSTMCarry(as_jax(h, "h"), as_jax(c, "c")) for h, c in pairs])


def write_carry(cell: Cell, carry: PyTree) -> Any:
    """A carry as torch's `h_0`, or as `(h_0, c_0)` of an LSTM.

    Args:
      cell: the model.
      carry: its carry.

    Returns:
      Tensors `[layers * directions, B, H]`.
    """
    parts = carries(cell, carry)
    stacked = lambda arrays: _tensor(np.stack([np.asarray(a) for a in arrays]))
    if isinstance(parts[0], LSTMCarry):
        return stacked([p.hidden for p in parts]), stacked([p.cell for p in parts])
    return stacked(parts)


def _format(cell: Cell, *, biased: bool, one_cell: bool = False) -> Format:
    layers = cell.cells if isinstance(cell, Stack) else ()
    with_memory = [i for i, layer in enumerate(layers) if layer.has_memory]

    def path(place: Place, name: str) -> str:
        if one_cell or not cell.has_memory:
            return name
        number = with_memory.index(place[0]) if layers else 0  # type: ignore[arg-type]
        return f"{name}_l{number}{'_reverse' if 'backward' in place else ''}"

    def fit(leaf: Any, own: PyTree) -> tuple[Cell, PyTree]:
        if not leaf.has_memory:
            return leaf, own
        if isinstance(leaf, GRU):
            leaf, own = with_update(leaf, own, "keep")
        return with_two_biases(leaf, own) if biased else (leaf, own)

    return Format(fit, lambda _, leaf: _table(leaf, biased), path)


def _table(cell: Cell, biased: bool) -> Table:
    if isinstance(cell, Embed):
        return {"embedding": Stored("weight")}
    if isinstance(cell, Dense):
        both = {"kernel": Stored("weight", transposed=True), "bias": Stored("bias")}
        return both if biased else {"kernel": both["kernel"]}
    if isinstance(cell, Dropout):
        return {}
    gates = _GATES[type(cell)]
    biases = {
        "bias": Stored("bias_ih", gates),
        "recurrent_bias": Stored("bias_hh", gates),
    }
    return {
        "kernel": Stored("weight_ih", gates, transposed=True),
        "recurrent_kernel": Stored("weight_hh", gates, transposed=True),
        **(biases if biased else {}),
        "projection_kernel": Stored("weight_hr", transposed=True),
    }


def _check_layers(cell: Cell) -> None:
    """Raise for what is neither one of torch's modules nor a part of one."""
    if isinstance(cell, Dense | Embed):
        return
    whole = cell.cells if isinstance(cell, Stack) else (cell,)
    layers = [layer for layer in whole if not isinstance(layer, Dropout)]
    for layer in layers:
        if getattr(layer, "merge", "concat") != "concat":
            raise ValueError(f"torch has no counterpart of `merge` of {layer}")
        cells: list[Any] = [layer]
        if isinstance(layer, Bidirectional):
            cells = [layer.forward, layer.backward]
        for leaf in cells:
            _check_cell(leaf)
        if not all(alike(leaf, cells[0]) for leaf in cells):
            raise ValueError(f"torch's directions are of one kind, got {layer}")
        if not alike(layer, layers[0]):
            raise ValueError(
                f"torch's layers are of one kind, got {layers[0]} and {layer}: write "
                "them one by one"
            )


def _check_cell(cell: Any) -> None:
    if type(cell) not in _GATES:
        raise ValueError(f"torch has no counterpart of {cell}")
    known: tuple[str, ...] = ("recurrent_bias", "projection_size", "update")
    if getattr(cell, "activation", "tanh") == "relu" and isinstance(cell, Elman):
        known = (*known, "activation")
    refuse(cell, "torch", known, reset="after")


def _cell_of(foreign: Any, arrays: Mapping[str, Any], *, two_biases: bool) -> Cell:
    """What a module is, as far as its weights and its attributes tell."""
    if type(foreign).__name__ == "Linear":
        return Dense(len(arrays["weight"]))
    if type(foreign).__name__ == "Embedding":
        return Embed(*arrays["weight"].shape)
    suffix = "" if "weight_hh" in arrays else "_l0"
    both: Any = [arrays.get(f"weight_{name}{suffix}") for name in ("hh", "hr")]
    U, P = both
    H = np.shape(U if P is None else P)[-1:] or (0,)
    gates = np.shape(U)[0] / H[0] if np.ndim(U) == 2 and H[0] else 0
    make = {4: LSTM, 3: GRU, 1: Elman}.get(gates)  # type: ignore[call-overload]
    if make is None:
        found = "nothing" if U is None else kind(U)
        raise ValueError(
            f"`weight_hh{suffix}` must be a matrix of 4H, 3H or H rows, as of an LSTM, "
            f"a GRU or an RNN, got {found}; of a larger model give the weights of that "
            "part, by their names there"
        )
    options: dict[str, Any] = {"recurrent_bias": two_biases}
    relu = getattr(foreign, "nonlinearity", "tanh") == "relu"
    options |= {"activation": "relu"} if make is Elman and relu else {}
    options |= {"reset": "after"} if make is GRU else {}
    options |= {"projection_size": len(P)} if P is not None else {}
    layer = make(H[0], **options)
    if any(name.endswith("_reverse") for name in arrays):
        layer = Bidirectional(layer)
    rate = getattr(foreign, "dropout", 0.0)
    between = (Dropout(rate),) if rate else ()
    layers = (layer,)
    while f"weight_hh_l{sum(part.has_memory for part in layers)}" in arrays:
        layers = (*layers, *between, layer)
    return layer if len(layers) == 1 else Stack(*layers)


def _inputs(arrays: Mapping[str, Any]) -> int:
    """The size of the inputs: the columns of the first matrix."""
    for name in ("weight_ih_l0", "weight_ih", "weight"):
        if np.ndim(arrays.get(name, ())) == 2:
            return arrays[name].shape[1]
    return 1


def _state(foreign: Any) -> Mapping[str, Any]:
    if not isinstance(foreign, Mapping) and not hasattr(foreign, "state_dict"):
        raise TypeError(
            f"`foreign` must be a torch module or a state_dict, got {kind(foreign)}"
        )
    return foreign if isinstance(foreign, Mapping) else foreign.state_dict()


def _array(value: Any) -> Any:
    """A tensor as NumPy has it, bfloat16 included; anything else as it is."""
    if not hasattr(value, "detach"):
        return value
    value = value.detach().cpu()
    if str(value.dtype) == "torch.bfloat16":
        return value.float().numpy().astype("bfloat16")
    return value.numpy()


def _tensor(array: Any) -> Any:
    """An array as torch has it: `_array` the other way."""
    import torch

    array = np.array(array)
    if array.dtype.name == "bfloat16":
        return torch.tensor(array.astype(np.float32)).bfloat16()
    return torch.tensor(array)
