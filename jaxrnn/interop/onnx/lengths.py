"""What a graph knows of how long its rows are."""

from collections.abc import Sequence
from typing import Any

from jaxrnn.interop.onnx.graph import Graph, attributes, keeps, shown


def check_lengths(graph: Graph, nodes: Sequence[Any]) -> None:
    """Raise unless one input tells `sequence_lens` to all nodes that need it.

    A node that reads forwards may go without: its outputs at real steps are the same.

    Args:
      graph: where the nodes stand.
      nodes: the recurrent ones.
    """
    told = [_told(graph, node) for node in nodes]
    names = sorted({name for name in told if name})
    if len(names) > 1:
        raise ValueError(
            f"`sequence_lens` must be one input for all nodes, got {', '.join(names)}"
        )
    for node, name in zip(nodes, told, strict=True):
        backwards = attributes(node).get("direction", "forward") != "forward"
        if names and backwards and not name:
            raise ValueError(
                f"{shown(node)} reads backwards without the `sequence_lens` that other "
                "nodes have"
            )


def _told(graph: Graph, node: Any) -> str | None:
    """The input that tells a node its lengths; None: nothing does."""
    given = node.input[4] if len(node.input) > 4 else ""
    name = graph.root(given) if given else None
    if given and name is None:
        raise ValueError(
            f"{shown(node)}: `sequence_lens` must be an input, as `unroll` takes "
            f"`lengths`; {given!r} is constant or computed"
        )
    return name


def mask_axes(graph: Graph, name: str) -> str:
    """The axes of a value that is true at the steps below `sequence_lens`.

    Returns:
      A letter each: t, the steps; b, the rows; 1, what is repeated. With a ?, or
      without t or b, the value is something else.
    """
    node = graph.maker(name)
    if node is None:
        alone = name in graph.lengths and graph.ranks[name] in (None, 1)
        return "b" if alone else "?"
    if node.op_type == "Range":
        first, _, step = map(graph.only_number, node.input)
        return "t" if (first, step) == (0, 1) else "?"
    if node.op_type == "Less":
        return _broadcast(*(mask_axes(graph, part) for part in node.input))
    if node.op_type == "Unsqueeze":
        return _widened(mask_axes(graph, node.input[0]), graph.axes(node))
    return mask_axes(graph, node.input[0]) if keeps(node) else "?"


def _broadcast(steps: str, bound: str) -> str:
    """The axes of steps < bound."""
    if steps.strip("1") != "t" or bound.strip("1") != "b":
        return "?"
    rank = max(len(steps), len(bound))
    pairs = zip(steps.rjust(rank, "1"), bound.rjust(rank, "1"), strict=True)
    # Where neither is repeated, numbers of steps meet numbers of rows.
    return "".join(max(pair) if "1" in pair else "?" for pair in pairs)


def _widened(axes: str, new: Sequence[int]) -> str:
    """With axes of size 1 at the new places."""
    rank, rest = len(axes) + len(new), iter(axes)
    at = {axis % rank for axis in new if -rank <= axis < rank}
    if len(at) < len(new):
        return "?"
    return "".join("1" if axis in at else next(rest) for axis in range(rank))
