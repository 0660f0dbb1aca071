"""The layers that a graph is made of, found from an output back to the input."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxrnn.cells import Dense, Embed, LayerNorm, Map, OneHot
from jaxrnn.checks import inside
from jaxrnn.combine import Bidirectional, Residual, Reverse
from jaxrnn.interop.gates import as_jax
from jaxrnn.interop.onnx.activations import (
    OF_ROWS,
    Functions,
    as_written,
    operators,
    to_ours,
)
from jaxrnn.interop.onnx.chain import Chain, stacked
from jaxrnn.interop.onnx.graph import Graph, attributes, inputs, shown
from jaxrnn.interop.onnx.lengths import mask_axes
from jaxrnn.interop.onnx.operators import OPERATORS
from jaxrnn.interop.onnx.rearranging import REARRANGING
from jaxrnn.interop.onnx.recurrent import INPUTS, cell_of

_FLOATS = (1, 10, 11, 16)  # float32, float16, float64, bfloat16
_MERGES = {"Concat": "concat", "Sum": "sum", "Mean": "average"}


class Layers:
    """A walk through a graph.

    Args:
      graph: where to walk.

    Attributes:
      passed: the recurrent nodes that were come upon, by their first output.
      time: the axis of the input that is time, "0" or "1"; None: no node has told.
      sequence: the input that is the sequence; None: none was come upon.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.passed: list[Any] = []
        self.time: str | None = None
        self.sequence: str | None = None
        self._found: dict[str, Chain] = {}
        self._readers: dict[str, Callable[[Any], Chain]] = {
            **dict.fromkeys(OPERATORS, self.recurrent),
            **dict.fromkeys((*operators(), *OF_ROWS), self._function),
            **dict.fromkeys(("Identity", "Cast"), self._as_it_is),
            **dict.fromkeys(_MERGES, self._both),
            **dict.fromkeys(REARRANGING, self._rearranged),
            "Add": self._add,
            "Dropout": self._dropout,
            "Gather": self._gather,
            "LayerNormalization": self._layer_norm,
            "MatMul": self._product,
            "OneHot": self._one_hot,
            "Where": self._where,
        }

    def before(self, name: str) -> Chain:
        """All that happens until a value is there.

        Raises:
          ValueError: for a node that has no counterpart here, naming it.
        """
        if name not in self._found:
            self._found[name] = self._before(name)
        return self._found[name]

    def _before(self, name: str) -> Chain:
        node = self.graph.maker(name)
        if node is None:
            return self._input(name)
        own = node.domain in ("", "ai.onnx")
        reader = self._readers.get(node.op_type) if own else None
        if reader is None:
            known = ", ".join(sorted(self._readers))
            raise ValueError(f"{shown(node)} has no counterpart; known are {known}")
        if node.op_type in OPERATORS and name != node.output[0]:
            raise ValueError(
                f"the graph computes with the last state of {shown(node)}, where a "
                "cell has the outputs of every step"
            )
        if name != node.output[0]:
            raise ValueError(f"{shown(node)} must be used for its first output alone")
        return reader(node)

    def _input(self, name: str) -> Chain:
        if name in self.graph.constants:
            raise ValueError(f"{name!r} is computed from constants, from no input")
        if name not in self.graph.ranks:
            raise ValueError(f"{name!r} is made by no node")
        if self.sequence not in (None, name):
            raise ValueError(
                f"the graph must read one sequence, got {self.sequence!r} and {name!r}"
            )
        self.sequence = name
        rank = self.graph.ranks[name]
        if rank not in (2, 3):
            raise ValueError(
                f"the input {name!r} must have the axes (T, B) or (T, B, input_size), "
                f"got {rank}"
            )
        return Chain((), "01f"[:rank])

    def recurrent(self, node: Any) -> Chain:
        """What an LSTM, a GRU or an RNN node does."""
        stated, given = attributes(node), inputs(node, *INPUTS)
        chain = self.before(given["X"])
        with inside(shown(node)):
            layout = stated.get("layout", 0)
            time, batch = self._time_and_batch(chain.axes, layout)
            taken = {self.sequence, *self.graph.lengths}
            layer = cell_of(self.graph, node.op_type, stated, given, taken=taken)
        self.passed.append(node)
        axes = f"{batch}{time}df" if layout else f"{time}d{batch}f"
        return chain.then(*layer, axes=axes)

    def _time_and_batch(self, axes: str, layout: int) -> tuple[str, str]:
        if len(axes) != 3 or axes[2] != "f":
            raise ValueError(f"`X` must have 3 axes, the last features, got {axes!r}")
        time, batch = (axes[1], axes[0]) if layout else (axes[0], axes[1])
        self._tell_time(time)
        return time, batch

    def _tell_time(self, axis: str) -> None:
        if self.time not in (None, axis):
            raise ValueError("it takes as time what is the batch for another node")
        self.time = axis

    def _of(self, node: Any, index: int = 0) -> Chain:
        """What happens before a node that is a layer."""
        chain = self.before(node.input[index])
        if "d" in chain.axes:
            raise ValueError(
                f"{shown(node)} must come after the axis of directions is gone"
            )
        return chain

    def _function(self, node: Any) -> Chain:
        chain, stated = self._of(node), attributes(node)
        if node.op_type in OF_ROWS:
            last = len(chain.axes) - 1
            axis = stated.get("axis", -1 if self.graph.opset >= 13 else 1)
            if axis not in (-1, last) or chain.axes[-1:] != "f":
                raise ValueError(f"{shown(node)} must be over the features")
            return chain.then(Map(OF_ROWS[node.op_type]), {})
        alpha, beta = ([stated[k]] if k in stated else [] for k in ("alpha", "beta"))
        (function,) = to_ours(Functions([node.op_type], alpha, beta))
        return chain.then(Map(function), {})

    def _as_it_is(self, node: Any) -> Chain:
        chain, to = self.before(node.input[0]), attributes(node).get("to", _FLOATS[0])
        if "f" in chain.axes and to not in _FLOATS:
            raise ValueError(f"{shown(node)} must be to floating numbers")
        return chain

    def _dropout(self, node: Any) -> Chain:
        training = node.input[2] if len(node.input) > 2 else ""
        if training and self.graph.only_number(training) != 0:
            raise ValueError(f"{shown(node)} must not be in training mode")
        return self._as_it_is(node)

    def _where(self, node: Any) -> Chain:
        """Zeros at padded steps, which `unroll` puts there by itself."""
        real, value, other = node.input
        chain, mask = self.before(value), mask_axes(self.graph, real)
        at = dict(zip(mask, chain.axes, strict=False))
        if (
            len(mask) != len(chain.axes)
            or {at.get("t"), at.get("b")} != {"0", "1"}
            or self.graph.only_number(other) != 0
        ):
            raise ValueError(
                f"{shown(node)} must put zeros at the steps behind `sequence_lens`"
            )
        self._tell_time(at["t"])
        return chain

    def _rearranged(self, node: Any) -> Chain:
        before = self.before(node.input[0])
        return REARRANGING[node.op_type](self.graph, node, before)

    def _product(self, node: Any) -> Chain:
        chain = self._of(node)
        kernel = self.graph.array(node.input[1], f"the matrix of {shown(node)}")
        if kernel.ndim != 2 or chain.axes[-1:] != "f":
            raise ValueError(f"{shown(node)} must be features by a matrix")
        bias = jnp.zeros(kernel.shape[1], kernel.dtype)
        return chain.then(
            Dense(kernel.shape[1]), {"kernel": as_jax(kernel, "kernel"), "bias": bias}
        )

    def _add(self, node: Any) -> Chain:
        """The bias of a product, or what passes layers by."""
        biases = [i for i in range(2) if node.input[i] in self.graph.constants]
        if not biases:
            return self._residual(node, self._of(node), self._of(node, 1))
        chain = self._of(node, 1 - biases[0])
        cell, params = chain.layers[-1] if chain.layers else (None, {})
        bias = self.graph.constants[node.input[biases[0]]]
        if (
            not isinstance(cell, Dense)
            or chain.axes[-1:] != "f"
            or (*bias.shape[-1:], bias.size) != (cell.features, cell.features)
        ):
            raise ValueError(f"{shown(node)} must add a bias to a product")
        both = params["bias"] + as_jax(bias.reshape(-1), "bias")
        return chain.ending(cell, params | {"bias": both})

    def _residual(self, node: Any, one: Chain, other: Chain) -> Chain:
        past, through = sorted((one, other), key=lambda chain: len(chain.layers))
        inner = through.layers[len(past.layers) :]
        if not inner or not through.follows(past) or past.axes != through.axes:
            raise ValueError(f"{shown(node)} must add to layers what passes them by")
        cell, params = stacked(inner)
        return past.then(Residual(cell), {"cell": params})

    def _both(self, node: Any) -> Chain:
        """Two nodes that read the same, one forwards and one backwards."""
        chains = [self._of(node, index) for index in range(len(node.input))]
        forward, backward = (*chains, Chain((), ""))[:2]
        before = Chain(forward.layers[:-1], "")
        last = attributes(node).get("axis", -1) in (-1, len(forward.axes) - 1)
        pair = [chain.layers[-1][0] for chain in (forward, backward) if chain.layers]
        if (
            [isinstance(cell, Reverse) for cell in pair] != [False, True]
            or len(node.input) != 2
            or not (last and backward.follows(before))
            or len(backward.layers) != len(forward.layers)
            or not forward.axes == backward.axes == forward.axes[:-1] + "f"
        ):
            raise ValueError(f"{shown(node)} must join two directions of one input")
        (ahead, own), (behind, other) = forward.layers[-1], backward.layers[-1]
        cell = Bidirectional(ahead, behind.cell, merge=_MERGES[node.op_type])
        return forward.ending(cell, {"forward": own, "backward": other["cell"]})

    def _gather(self, node: Any) -> Chain:
        table = self.graph.array(node.input[0], f"the embedding of {shown(node)}")
        chain = self._of(node, 1)
        if table.ndim != 2 or attributes(node).get("axis", 0) or "f" in chain.axes:
            raise ValueError(f"{shown(node)} must look rows up in a matrix, by ids")
        embedding = {"embedding": as_jax(table, "embedding")}
        return chain.then(Embed(*table.shape), embedding, axes=chain.axes + "f")

    def _one_hot(self, node: Any) -> Chain:
        chain = self._of(node)
        depth, values = (self.graph.array(n, shown(node)) for n in node.input[1:])
        if (
            values.tolist() != [0, 1]
            or depth.size != 1
            or attributes(node).get("axis", -1) not in (-1, len(chain.axes))
            or "f" in chain.axes
        ):
            raise ValueError(f"{shown(node)} must give 0 and 1 in the last axis")
        return chain.then(OneHot(int(depth.item())), {}, axes=chain.axes + "f")

    def _layer_norm(self, node: Any) -> Chain:
        chain, stated = self._of(node), attributes(node)
        last = stated.get("axis", -1) in (-1, len(chain.axes) - 1)
        if not last or chain.axes[-1:] != "f":
            raise ValueError(f"{shown(node)} must be over the features alone")
        arrays = [self.graph.array(n, shown(node)) for n in node.input[1:]]
        arrays += [np.zeros_like(arrays[0])] if len(arrays) == 1 else []
        scale, bias = (as_jax(a, "scale") for a in arrays)
        epsilon = as_written(stated.get("epsilon", 1e-5))
        return chain.then(LayerNorm(epsilon), {"scale": scale, "bias": bias})
