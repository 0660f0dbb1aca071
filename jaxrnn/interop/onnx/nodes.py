"""The nodes that each layer becomes."""

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxrnn.cell import Cell
from jaxrnn.cells import (
    GRU,
    LSTM,
    Dense,
    Dropout,
    Elman,
    Embed,
    LayerNorm,
    Map,
    OneHot,
)
from jaxrnn.checks import inside
from jaxrnn.combine import Bidirectional, LearnedCarry, Residual, Reverse, Stack
from jaxrnn.interop.onnx.activations import as_operator
from jaxrnn.interop.onnx.build import Build, weights
from jaxrnn.interop.onnx.operators import to_weights
from jaxrnn.typing import PyTree

Layer = Callable[[Build, Any, PyTree, str, str], str]


def add(build: Build, cell: Cell, params: PyTree, x: str, place: str) -> str:
    """What a cell does through time, as nodes.

    Args:
      build: the graph.
      cell: the layer.
      params: its parameters.
      x: the name of its inputs, time first.
      place: of its carry in that of the model, ending in /, or "".

    Returns:
      The name of its outputs.
    """
    if type(cell) not in _LAYERS:
        known = ", ".join(sorted(kind.__name__ for kind in _LAYERS))
        raise ValueError(f"{cell} has no counterpart in ONNX; known are {known}")
    return _LAYERS[type(cell)](build, cell, params, x, place)


def _recurrent(
    build: Build,
    cell: Any,
    params: PyTree,
    x: str,
    place: str,
    *,
    direction: str = "forward",
) -> str:
    """One node and, for its outputs, one that takes the axis of directions away."""
    learned = None
    if isinstance(cell, LearnedCarry):
        cell, learned, params = cell.cell, params["carry"], params["cell"]
    if type(cell) not in (LSTM, GRU, Elman):
        raise ValueError(f"{cell} has no counterpart as one direction in ONNX")
    name, attributes, arrays = to_weights(cell, params)
    names = ("hidden", "cell") if isinstance(cell, LSTM) else ("",)
    dtype, H = weights(arrays["W"]).dtype, cell.hidden_size
    starts = [""] * len(names)
    if build.carried:
        given = [
            build.input(f"carry/{place}{n}".rstrip("/"), dtype, ("B", H)) for n in names
        ]
        first = build.constant(np.array([0]))
        starts = [build.add("Unsqueeze", start, first) for start in given]
    elif learned is not None:
        starts = [_every_row(build, x, weights(row)) for row in learned]
    matrices = [build.constant(arrays[k]) for k in ("W", "R", "B")]
    peephole = [build.constant(arrays["P"])] if "P" in arrays else []
    Y, *last = build.add(
        name,
        x,
        *(*matrices, build.lengths, *starts, *peephole),
        outputs=1 + len(names),
        direction=direction,
        **attributes,
    )
    if build.carried:
        for n, value in zip(names, last, strict=True):
            value = build.add("Squeeze", value, build.constant(np.array([0])))
            build.output(value, f"last/{place}{n}".rstrip("/"), dtype, ("B", H))
    return build.add("Squeeze", Y, build.constant(np.array([1])))


def _every_row(build: Build, x: str, row: np.ndarray) -> str:
    """`[1, B, size]` of one row, where B is that of x."""
    one = build.constant(np.array([1]))
    batch = build.add("Gather", build.add("Shape", x), one)
    shape = build.add("Concat", one, batch, build.constant(np.array(row.shape)), axis=0)
    return build.add("Expand", build.constant(row), shape)


def _reverse(build: Build, cell: Any, params: PyTree, x: str, place: str) -> str:
    own = params["cell"]
    return _recurrent(build, cell.cell, own, x, place, direction="reverse")


def _bidirectional(build: Build, cell: Any, params: PyTree, x: str, place: str) -> str:
    ways = (("forward", "forward"), ("backward", "reverse"))
    ys = []
    for name, direction in ways:
        with inside(f"{name} of Bidirectional"):
            one, own = getattr(cell, name), params[name]
            at = f"{place}{name}/"
            ys.append(_recurrent(build, one, own, x, at, direction=direction))
    if cell.merge == "concat":
        return build.add("Concat", *ys, axis=-1)
    return build.add({"sum": "Sum", "average": "Mean"}[cell.merge], *ys)


def _stack(build: Build, cell: Any, params: PyTree, x: str, place: str) -> str:
    for index, (layer, own) in enumerate(zip(cell.cells, params, strict=True)):
        with inside(f"layer {index} of Stack"):
            x = add(build, layer, own, x, f"{place}{index}/")
    return x


def _residual(build: Build, cell: Any, params: PyTree, x: str, place: str) -> str:
    return build.add("Add", add(build, cell.cell, params["cell"], x, place), x)


def _dense(build: Build, cell: Any, params: PyTree, x: str, place: str) -> str:
    product = build.add("MatMul", x, build.constant(params["kernel"]))
    return build.add("Add", product, build.constant(params["bias"]))


def _embed(build: Build, cell: Any, params: PyTree, x: str, place: str) -> str:
    return build.add("Gather", build.constant(params["embedding"]), x)


def _one_hot(build: Build, cell: Any, params: PyTree, x: str, place: str) -> str:
    values = np.array([0, 1], build.dtype)
    depth = build.constant(np.int64(cell.vocab_size))
    return build.add("OneHot", x, depth, build.constant(values), axis=-1)


def _layer_norm(build: Build, cell: Any, params: PyTree, x: str, place: str) -> str:
    scale, bias = (build.constant(params[name]) for name in ("scale", "bias"))
    epsilon = cell.epsilon
    return build.add("LayerNormalization", x, scale, bias, axis=-1, epsilon=epsilon)


def _map(build: Build, cell: Any, params: PyTree, x: str, place: str) -> str:
    if cell.function == "identity":
        return x
    operator = as_operator(cell.function)
    if operator is None:
        raise ValueError(f"{cell} has no counterpart in ONNX")
    name, attributes = operator
    return build.add(name, x, **attributes)


_LAYERS: dict[type, Layer] = {
    LSTM: _recurrent,
    GRU: _recurrent,
    Elman: _recurrent,
    LearnedCarry: _recurrent,
    Reverse: _reverse,
    Bidirectional: _bidirectional,
    Stack: _stack,
    Residual: _residual,
    Dense: _dense,
    Embed: _embed,
    OneHot: _one_hot,
    LayerNorm: _layer_norm,
    Map: _map,
    Dropout: lambda build, cell, params, x, place: x,
}
