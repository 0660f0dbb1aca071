"""A model from an ONNX file."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxrnn.interop.gates import check_params
from jaxrnn.interop.onnx.chain import Chain, stacked
from jaxrnn.interop.onnx.forms import Model
from jaxrnn.interop.onnx.graph import Graph, shown
from jaxrnn.interop.onnx.layers import Layers
from jaxrnn.interop.onnx.lengths import check_lengths
from jaxrnn.interop.onnx.operators import OPERATORS

# A state on its way from a node to an output of the graph.
_PASSING_ON = ("Concat", "Identity", "Squeeze", "Transpose", "Unsqueeze")


def read(source: Any) -> Model:
    """The recurrent model in an ONNX file, as a cell with its parameters.

    Nodes LSTM, GRU and RNN become `LSTM`, `GRU` and `Elman`, in a `Stack` with the
    layers between them that exporters write: MatMul and Add, Gather, LayerNormalization
    and functions. Two directions become `Bidirectional`, one backwards `Reverse`;
    constant initial states `LearnedCarry`.

    What the graph is given beside its sequence, `unroll` is given: `sequence_lens` as
    `lengths`, initial states as `carry` (`read_carry`), and batch-major inputs by
    `time_axis=1`. Of ONNX's two biases the second is held if it is not all 0. `clip`
    bounds what gates are given and not c, as runtimes understand it.

    Args:
      source: a path, or an `onnx.ModelProto`.

    Returns:
      `(cell, params)`: the layer itself where the graph has one, else a `Stack`.

    Raises:
      ValueError: for a file that is none of ONNX, for an operator, an attribute or a
        wiring that has no counterpart, naming it, and for weights that do not fit.
      ImportError: without the package `onnx`.

    References:
      ONNX, opsets 7 to 22.

    Example:
      >>> import jax, jax.numpy as jnp, jaxrnn as jr
      >>> from jaxrnn.interop import onnx
      >>> cell = jr.Stack(jr.Bidirectional(jr.LSTM(4)), jr.Dense(2))
      >>> params = cell.init(jax.random.key(0), 3)
      >>> same, weights = onnx.read(onnx.write(cell, params))
      >>> same == cell, bool((weights[1]["kernel"] == params[1]["kernel"]).all())
      (True, True)
    """
    try:
        cell, params = stacked(_layers(Graph(_loaded(source))))
    except RecursionError as error:
        raise ValueError("the graph has too many nodes one behind another") from error
    except UnicodeDecodeError as error:
        raise ValueError("no ONNX file, or damaged: a name is not UTF-8") from error
    check_params(cell, params)
    return cell, params


def _layers(graph: Graph) -> Sequence[Model]:
    """All that a graph does to its sequence."""
    if graph.opset < 7:  # before it Add and Dropout meant something else
        raise ValueError(f"the opset must be at least 7, got {graph.opset}")
    layers = Layers(graph)
    chain = _whole(graph, layers)
    missed = [
        shown(node)
        for node in graph.nodes
        if node.op_type in OPERATORS and node not in layers.passed
    ]
    if missed:
        raise ValueError(f"the output depends not on {', '.join(missed)}")
    check_lengths(graph, layers.passed)
    if not chain.layers:
        raise ValueError("the graph has no layer")
    if chain.axes.replace("d", "") not in ("01f", "10f"):
        raise ValueError("the output must have the axes of the input, features last")
    return chain.layers


def _loaded(source: Any) -> Any:
    """The model, of a path or as it is."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise ImportError(
            "ONNX files need the package onnx: pip install 'jaxrnn[onnx]'"
        ) from error
    named = isinstance(source, str | os.PathLike)
    if not named and not isinstance(source, onnx.ModelProto):
        raise TypeError(
            "`source` must be a path or an onnx.ModelProto, got "
            f"{type(source).__name__}"
        )
    try:
        model = onnx.load(Path(source), format="protobuf") if named else source
        # What outputs are said to be nobody asks, and exporters leave it out.
        checked = onnx.ModelProto.FromString(model.SerializeToString())
        checked.graph.ClearField("output")
        checked.graph.ClearField("value_info")
        onnx.checker.check_model(checked)
    except DecodeError as error:
        raise ValueError(f"{source} is no ONNX file, or damaged") from error
    except onnx.checker.ValidationError as error:
        said = " ".join(str(error).split())
        raise ValueError(f"no ONNX file that is valid: {said}") from error
    return model


def _whole(graph: Graph, layers: Layers) -> Chain:
    """The chain to the one output that is a sequence, or to the last node's."""
    sequences = [name for name in graph.outputs if not _is_state(graph, name)]
    if len(sequences) > 1:
        raise ValueError(
            "the graph must have one output beside final states, got "
            f"{', '.join(sequences)}"
        )
    if sequences:
        return layers.before(sequences[0])
    recurrent = [node for node in graph.nodes if node.op_type in OPERATORS]
    if not recurrent:
        raise ValueError("the graph has no output")
    return layers.recurrent(recurrent[-1])


def _is_state(graph: Graph, name: str) -> bool:
    """Whether a value is the last state of a recurrent node."""
    node = graph.maker(name)
    if node is None:
        return False
    if node.op_type in OPERATORS:
        return name != node.output[0]
    passing = node.op_type in _PASSING_ON
    values = node.input if node.op_type == "Concat" else node.input[:1]
    return passing and all(_is_state(graph, value) for value in values)
