"""What Flax's modules are among the cells, and where they keep their parameters."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.cell import Cell
from jaxrnn.cells import GRU, LSTM, MGU, Dense, Dropout, Elman, Embed, Map
from jaxrnn.checks import kind
from jaxrnn.combine import Bidirectional, Stack
from jaxrnn.interop.gates import Stored, Table


class Part(NamedTuple):
    """One cell of a module: where its parameters stand, and by which table."""

    path: str
    table: Table


def _by_gate(gates: str, bias: str) -> dict[str, Stored]:
    """Each gate with two matrices of its own, the bias beside one of them."""
    return {
        "kernel": Stored("i{}/kernel", gates),
        "recurrent_kernel": Stored("h{}/kernel", gates),
        "bias": Stored(f"{bias}{{}}/bias", gates),
    }


def _side_by_side(gates: str, bias: str) -> Table:
    return {
        "kernel": Stored("dense_i/kernel", gates),
        "recurrent_kernel": Stored("dense_h/kernel", gates),
        "bias": Stored(f"dense_{bias}/bias", gates),
    }


_B_U = {"recurrent_bias": Stored("hn/bias", "n")}
_AFFINE = {"kernel": Stored("kernel"), "bias": Stored("bias")}
_TABLES: dict[tuple[str, str], Table] = {
    ("linen", "LSTMCell"): _by_gate("ifgo", "h"),
    ("linen", "OptimizedLSTMCell"): _by_gate("ifgo", "h"),
    ("linen", "GRUCell"): _by_gate("rzn", "i") | _B_U,
    ("linen", "MGUCell"): _by_gate("fn", "i")
    | {"recurrent_bias": Stored("hn/bias", "n")},
    ("linen", "SimpleCell"): {
        "kernel": Stored("i/kernel"),
        "recurrent_kernel": Stored("h/kernel"),
        "bias": Stored("i/bias"),
    },
    ("linen", "Dense"): _AFFINE,
    ("linen", "Embed"): {"embedding": Stored("embedding")},
    ("nnx", "LSTMCell"): _by_gate("ifgo", "h"),
    ("nnx", "OptimizedLSTMCell"): _side_by_side("ifgo", "h"),
    ("nnx", "GRUCell"): _side_by_side("rzn", "i"),
    ("nnx", "SimpleCell"): _side_by_side("", "i"),
    ("nnx", "Linear"): _AFFINE,
    ("nnx", "Embed"): {"embedding": Stored("embedding")},
    ("linen", "Dropout"): {},
    ("nnx", "Dropout"): {},
}


def family(module: Any) -> str:
    """Whether a module is of "linen" or of "nnx".

    Raises:
      TypeError: for what is neither.
    """
    from flax import linen, nnx

    if isinstance(module, nnx.Module):
        return "nnx"
    if isinstance(module, linen.Module):
        return "linen"
    raise TypeError(f"`foreign` must be a module of Flax, got {kind(module)}")


def parts_of(module: Any) -> tuple[Cell, list[Part]]:
    """What a module is, and a part for each of its cells that is no container.

    Raises:
      ValueError: for what has no counterpart, naming it.
    """
    name, inside = type(module).__name__, family(module)
    if name == "RNN":
        _must(module, reverse=False)
        cell, parts = parts_of(module.cell)
        return cell, _under("cell", parts)
    if name == "Bidirectional":
        return _bidirectional(module)
    if name == "Sequential":
        return _sequential(module, "layers_" if inside == "linen" else "layers/")
    if (inside, name) not in _TABLES:
        known = ", ".join(n for f, n in _TABLES if f == inside)
        raise ValueError(
            f"{name} of flax.{inside} has no counterpart: known are {known}, RNN, "
            "Bidirectional and Sequential; `as_cell` makes a cell of any module"
        )
    table = _TABLES[inside, name]
    if getattr(module, "use_bias", True) is False:
        table = {key: stored for key, stored in table.items() if key != "bias"}
    return _CELLS[name](module), [Part("", table)]


def _bidirectional(module: Any) -> tuple[Cell, list[Part]]:
    options = inspect.signature(type(module).__init__).parameters
    _must(module, merge_fn=options["merge_fn"].default)  # side by side
    cells: list[Any] = []
    parts: list[Part] = []
    for side in ("forward_rnn", "backward_rnn"):
        cell, own = parts_of(getattr(module, side))
        cells.append(cell)
        parts += _under(side, own)
    return Bidirectional(*cells), parts


def _sequential(module: Any, prefix: str) -> tuple[Cell, list[Part]]:
    from flax import linen, nnx

    cells: list[Cell] = []
    parts: list[Part] = []
    for index, layer in enumerate(module.layers):
        if not isinstance(layer, linen.Module | nnx.Module):
            cells.append(Map(_of_rows(layer)))
            parts.append(Part("", {}))
            continue
        cell, own = parts_of(layer)
        cells.append(cell)
        parts += _under(f"{prefix}{index}", own)
    return Stack(*cells), parts


def _under(name: str, parts: list[Part]) -> list[Part]:
    return [part._replace(path=f"{name}/{part.path}") for part in parts]


def _size(module: Any) -> int:
    return (
        module.hidden_features
        if hasattr(module, "hidden_features")
        else module.features
    )


def _must(module: Any, **values: Any) -> None:
    """Raise for options that have other values than ours know."""
    for name, value in values.items():
        given = getattr(module, name, value)
        if given != value:
            shown = getattr(given, "__name__", given)
            raise ValueError(
                f"`{name}={shown}` of {type(module).__name__} has no counterpart"
            )


def _function(function: Any) -> Any:
    """A function as our cells call it: by its name, where it is one of `jax.nn`."""
    name = getattr(function, "__name__", "")
    return name if getattr(jax.nn, name, None) is function else function


def _of_rows(function: Any) -> Any:
    """A function in a Sequential: one of `jax.nn`, or of the top level of a module."""
    named = getattr(function, "__qualname__", "<")
    if "<" in named:
        raise ValueError(
            f"{function!r} in a Sequential has no counterpart: give `jax.nn`'s, or a "
            "function at the top level of a module that works on any leading axes"
        )
    return _function(function)


def _functions(module: Any) -> dict[str, Any]:
    return {
        "activation": _function(module.activation_fn),
        "gate_activation": _function(module.gate_fn),
    }


def _lstm(module: Any) -> Cell:
    return LSTM(_size(module), **_functions(module))


def _gru(module: Any) -> Cell:
    return GRU(_size(module), reset="after", **_functions(module))


def _mgu(module: Any) -> Cell:
    _must(module, gate_fn=jax.nn.sigmoid, activation_fn=jnp.tanh, reset_gate=True)
    return MGU(_size(module), "after", "keep")


def _elman(module: Any) -> Cell:
    _must(module, residual=False)
    return Elman(_size(module), activation=_function(module.activation_fn))


def _embed(module: Any) -> Cell:
    return Embed(module.num_embeddings, module.features)


_CELLS: dict[str, Callable[[Any], Cell]] = {
    "LSTMCell": _lstm,
    "OptimizedLSTMCell": _lstm,
    "GRUCell": _gru,
    "MGUCell": _mgu,
    "SimpleCell": _elman,
    "Dense": lambda module: Dense(module.features),
    "Linear": lambda module: Dense(module.out_features),
    "Embed": _embed,
    "Dropout": lambda module: Dropout(module.rate),
}
