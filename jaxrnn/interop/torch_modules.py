"""What torch's recurrent modules are among the cells."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxrnn.cell import Cell
from jaxrnn.cells import GRU, LSTM, Dense, Dropout, Elman, Embed
from jaxrnn.checks import kind
from jaxrnn.combine import Bidirectional, Stack
from jaxrnn.interop.same import alike, refuse

GATES = {LSTM: "ifgo", GRU: "rzn", Elman: ""}


def check_layers(cell: Any, one_cell: bool) -> None:
    """Raise for what is neither one of torch's modules nor a part of one."""
    if one_cell and (
        type(cell) not in GATES or getattr(cell, "projection_size", None) is not None
    ):
        raise ValueError(f"a cell of torch is one LSTM, GRU or Elman, got {cell}")
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
    if type(cell) not in GATES:
        raise ValueError(f"torch has no counterpart of {cell}")
    known: tuple[str, ...] = ("recurrent_bias", "projection_size", "update")
    if getattr(cell, "activation", "tanh") == "relu" and isinstance(cell, Elman):
        known = (*known, "activation")
    refuse(cell, "torch", known, reset="after")


def cell_of(foreign: Any, arrays: Mapping[str, Any], *, two_biases: bool) -> Cell:
    """What a module is, as far as its weights and its attributes tell."""
    if type(foreign).__name__ == "Linear":
        return Dense(len(arrays["weight"]))
    if type(foreign).__name__ == "Embedding":
        for name in ("max_norm", "scale_grad_by_freq"):
            if getattr(foreign, name):
                said = f"`{name}={getattr(foreign, name)}` of nn.Embedding"
                raise ValueError(f"{said} has no counterpart")
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
