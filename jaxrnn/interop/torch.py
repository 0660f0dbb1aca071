"""Weights and states of torch's recurrent modules."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxrnn.cell import Cell
from jaxrnn.cells import GRU, LSTM, Dense, Dropout, Embed, LSTMCarry
from jaxrnn.checks import kind
from jaxrnn.combine import Stack
from jaxrnn.interop.gates import Stored, Table, as_jax, check_params
from jaxrnn.interop.layers import Format, Place, carries, carry_of, leaves
from jaxrnn.interop.same import check_equations, with_two_biases, with_update
from jaxrnn.interop.torch_modules import GATES, cell_of, check_layers
from jaxrnn.typing import PyTree


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
        naming each; for two biases where `cell` holds one, unless `sum_biases`; for
        options of a module that have no counterpart, or that `cell` has not.

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
    if cell is None or not isinstance(foreign, Mapping):
        found = cell_of(foreign, arrays, two_biases=biased and not sum_biases)
        cell = found if cell is None else cell
        check_equations(cell, found)
    one_cell = "weight_hh" in arrays or "weight_ih" in arrays
    check_layers(cell, one_cell)
    form = _format(cell, biased=biased, one_cell=one_cell)
    return cell, form.read(cell, _inputs(arrays), arrays, sum_biases=sum_biases)


def write(
    cell: Cell, params: PyTree, *, bias: bool = True, one_cell: bool = False
) -> dict[str, Any]:
    """A cell's parameters as torch's `state_dict`: the inverse of `read`.

    Args:
      cell: an `LSTM`, a `GRU(reset="after")` or an `Elman`, both directions of one, or
        a `Stack` of such of one size; a `Dense`; an `Embed`. The second bias of a cell
        that holds one is 0.
      params: its parameters.
      bias: False for a module without biases; those of the cell must then be 0.
      one_cell: whether they are for an `nn.LSTMCell`, `nn.GRUCell` or `nn.RNNCell`,
        whose weights are named without a layer.

    Returns:
      A dict of tensors for `load_state_dict`.

    Raises:
      ValueError: for what torch has no counterpart of, naming it.
    """
    check_layers(cell, one_cell)
    check_params(cell, params)
    arrays = _format(cell, biased=bias, one_cell=one_cell).write(cell, params)
    return {name: _tensor(array) for name, array in arrays.items()}


def read_carry(cell: Cell, foreign: Any, *, one_cell: bool = False) -> PyTree:
    """The carry from torch's `h_n`, or from `(h_n, c_n)` of an LSTM.

    Args:
      cell: the model.
      foreign: tensors `[layers * directions, *batch, H]`.
      one_cell: whether they are of an `nn.LSTMCell` or the like: `[*batch, H]`.

    Returns:
      The carry of `cell`.

    Raises:
      ValueError: for other states than the cell has: their number, kind or sizes.
    """
    kinds = [leaf for _, leaf, _ in leaves(cell) if leaf.has_memory]
    pair = all(isinstance(leaf, LSTM) for leaf in kinds)
    if pair != isinstance(foreign, tuple | list) or (pair and len(foreign) != 2):
        wanted = "a pair, h and c," if pair else "one tensor, h,"
        raise ValueError(f"`foreign` must be {wanted} for {cell}, got {kind(foreign)}")
    states = [_array(state) for state in (foreign if pair else (foreign,))]
    states = [state[None] for state in states] if one_cell else states
    for state in states:
        if len(state) != len(kinds):
            raise ValueError(
                f"`foreign` must hold {len(kinds)} states for {cell}, got {len(state)}"
            )
    parts = [
        [_state_of(leaf, *named) for named in zip("hc", own, strict=False)]
        for leaf, *own in zip(kinds, *states, strict=True)
    ]
    return carry_of(cell, [LSTMCarry(*part) if pair else part[0] for part in parts])


def write_carry(cell: Cell, carry: PyTree, *, one_cell: bool = False) -> Any:
    """A carry as torch's `h_0`, or as `(h_0, c_0)` of an LSTM.

    Args:
      cell: the model.
      carry: its carry.
      one_cell: whether they are for an `nn.LSTMCell` or the like: `[*batch, H]`.

    Returns:
      Tensors `[layers * directions, *batch, H]`.
    """
    parts = carries(cell, carry)
    if one_cell and len(parts) != 1:
        raise ValueError(f"a cell of torch is one LSTM, GRU or Elman, got {cell}")
    joined = (lambda arrays: arrays[0]) if one_cell else np.stack
    stacked = lambda arrays: _tensor(joined([np.asarray(a) for a in arrays]))
    if isinstance(parts[0], LSTMCarry):
        return stacked([p.hidden for p in parts]), stacked([p.cell for p in parts])
    return stacked(parts)


def _state_of(leaf: Any, name: str, state: Any) -> Any:
    """One state of one cell, `[H]` or `[B, H]`, if it is of its size."""
    small = getattr(leaf, "projection_size", None) if name == "h" else None
    size = small or leaf.hidden_size
    if np.ndim(state) not in (1, 2) or state.shape[-1] != size:
        raise ValueError(
            f"`{name}` of {leaf} must be [{size}] or [B, {size}], got {kind(state)}"
        )
    return as_jax(state, name)


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
    gates = GATES[type(cell)]
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
    weights = foreign if isinstance(foreign, Mapping) else foreign.state_dict()
    odd = [name for name in weights if not isinstance(name, str)]
    if odd:
        raise TypeError(f"the names of a state_dict must be strings, got {odd[0]!r}")
    return weights


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
