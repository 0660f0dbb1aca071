"""The nodes that take away the axis of directions, or put axes in another order."""

from collections.abc import Callable
from typing import Any

from jaxrnn.combine import Bidirectional
from jaxrnn.interop.onnx.chain import Chain
from jaxrnn.interop.onnx.graph import Graph, attributes, shown


def _squeezed(graph: Graph, node: Any, chain: Chain) -> Chain:
    if _gone(graph, node, chain) != {"d"} or isinstance(
        chain.layers[-1][0], Bidirectional
    ):
        raise ValueError(f"{shown(node)} must take away the axis of one direction")
    return chain.then(axes=chain.axes.replace("d", ""))


def _merged(graph: Graph, node: Any, chain: Chain) -> Chain:
    """Both directions' outputs, summed or averaged."""
    if _gone(graph, node, chain) != {"d"} or attributes(node).get("keepdims", 1):
        raise ValueError(f"{shown(node)} must be over the directions")
    cell, params = chain.layers[-1]
    if isinstance(cell, Bidirectional):
        merge = {"ReduceSum": "sum", "ReduceMean": "average"}[node.op_type]
        cell = cell.replace(merge=merge)
    return chain.ending(cell, params, axes=chain.axes.replace("d", ""))


def _gone(graph: Graph, node: Any, chain: Chain) -> set[str]:
    """The axes that a node takes away."""
    rank = len(chain.axes)
    return {chain.axes[i] for i in graph.axes(node) if -rank <= i < rank}


def _transposed(graph: Graph, node: Any, chain: Chain) -> Chain:
    rank = len(chain.axes)
    order = attributes(node).get("perm", range(rank)[::-1])
    if sorted(order) != list(range(rank)):
        raise ValueError(f"{shown(node)} must order {rank} axes, got {list(order)}")
    return chain.then(axes="".join(chain.axes[axis] for axis in order))


def _reshaped(graph: Graph, node: Any, chain: Chain) -> Chain:
    """Directions side by side in the features."""
    shape = graph.array(node.input[1], f"the shape of {shown(node)}").tolist()
    joined = chain.axes.endswith("df") and len(shape) == 3
    features = chain.layers[-1][0].output_size(1) if joined else 0
    if not joined or shape[-1] not in (-1, features) or shape.count(-1) > 1:
        raise ValueError(
            f"{shown(node)} must join directions and features, got the shape {shape}"
        )
    return chain.then(axes=chain.axes.replace("d", ""))


REARRANGING: dict[str, Callable[[Graph, Any, Chain], Chain]] = {
    "ReduceMean": _merged,
    "ReduceSum": _merged,
    "Reshape": _reshaped,
    "Squeeze": _squeezed,
    "Transpose": _transposed,
}
