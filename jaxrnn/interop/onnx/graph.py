"""An ONNX graph as a reader asks for it: who makes a value, and what is known of it."""

from collections.abc import Iterator
from typing import Any

import numpy as np

# What they give holds no other numbers than their first input does.
_REARRANGING = (
    *("Expand", "Identity", "Reshape", "Slice", "Squeeze", "Tile", "Transpose"),
    *("Unsqueeze", "Gather"),
)
_OWN = ("", "ai.onnx")
_WHOLE = (1, 6, 7, 11)  # float32, int32, int64, float64: dtypes that hold any length


class Graph:
    """The nodes and constants of a model.

    Args:
      model: an `onnx.ModelProto`.

    Attributes:
      inputs: the names of the graph's inputs that are not constants.
      outputs: the names of its outputs.
      constants: arrays by name: initialisers, `Constant` nodes, and either behind
        `Identity` or `Cast`.
      ranks: of the inputs, by name; None: not stated.
      lengths: the inputs that are `sequence_lens` of a node.
      opset: the version of ONNX's own operators.
    """

    def __init__(self, model: Any) -> None:
        graph = model.graph
        self.constants = {tensor.name: _array(tensor) for tensor in graph.initializer}
        self.nodes = [node for node in graph.node if not self._folded(node)]
        self._makers = {name: node for node in self.nodes for name in node.output}
        given = [v for v in graph.input if v.name not in self.constants]
        self.ranks = {value.name: _rank(value) for value in given}
        self.inputs = list(self.ranks)
        told = [
            node.input[4]
            for node in self.nodes
            if node.op_type in ("LSTM", "GRU", "RNN") and len(node.input) > 4
        ]
        self.lengths = {self.root(name) for name in told} - {None}
        self.outputs = [value.name for value in graph.output]
        own = [o.version for o in model.opset_import if o.domain in _OWN]
        self.opset = max(own, default=1)

    def _folded(self, node: Any) -> bool:
        """Whether a node makes a constant, which is then held."""
        if node.domain not in _OWN:
            return False
        if node.op_type == "Constant":
            self.constants[node.output[0]] = _constant(node)
        elif node.op_type in ("Identity", "Cast") and node.input[0] in self.constants:
            array = self.constants[node.input[0]]
            self.constants[node.output[0]] = _cast(array, attributes(node).get("to"))
        else:
            return False
        return True

    def maker(self, name: str) -> Any:
        """The node that makes a value; None for inputs and constants."""
        return self._makers.get(name)

    def array(self, name: str, what: str) -> np.ndarray:
        """A value that must be constant.

        Raises:
          ValueError: if it is computed or given at run time.
        """
        if name not in self.constants:
            raise ValueError(f"{what} must be constant, got {name!r}, which is not")
        return self.constants[name]

    def given(self, name: str) -> bool:
        """Whether a value holds an input's numbers, whatever their arrangement."""
        node = self.maker(name)
        if node is None:
            return name in self.inputs
        return node.op_type in _REARRANGING and self.given(node.input[0])

    def root(self, name: str) -> str | None:
        """The input that a value is, but for dtype and axes; None: it is none."""
        while (node := self.maker(name)) is not None:
            if not keeps(node) and node.op_type not in ("Squeeze", "Unsqueeze"):
                return None
            name = node.input[0]
        return name if name in self.inputs else None

    def sources(self, name: str) -> set[str]:
        """The inputs whose numbers, not shapes, a value depends on."""
        seen: set[str] = set()
        ahead = [name]
        while ahead:
            name = ahead.pop()
            node = None if name in seen else self.maker(name)
            seen.add(name)
            if node is not None and node.op_type != "Shape":
                ahead += node.input
        return seen.intersection(self.inputs)

    def axes(self, node: Any) -> list[int]:
        """The axes that a node states as an attribute or, in later opsets, an input."""
        stated = attributes(node).get("axes")
        if stated is None and len(node.input) > 1:
            stated = self.array(node.input[1], f"the axes of {shown(node)}")
        return np.ravel([] if stated is None else stated).astype(int).tolist()

    def row(self, name: str) -> np.ndarray | None:
        """A constant, or the constant that a value repeats; None: it is neither."""
        node = self.maker(name)
        if node is not None and node.op_type == "Expand":
            return self.row(node.input[0])
        return self.constants.get(name)

    def only_number(self, name: str) -> float | None:
        """The number that every element of a value is, if that is known of it."""
        if name in self.constants:
            array = self.constants[name]
            same = array.size and (array == array.flat[0]).all()
            return float(array.flat[0]) if same else None
        node = self.maker(name)
        if node is None:
            return None
        if node.op_type == "ConstantOfShape":
            value = attributes(node).get("value")
            return 0.0 if value is None else float(value.flat[0])
        if node.op_type == "Concat":
            found = {self.only_number(part) for part in set(node.input)}
            return found.pop() if len(found) == 1 else None
        if node.op_type in _REARRANGING:
            return self.only_number(node.input[0])
        return None


def attributes(node: Any) -> dict[str, Any]:
    """A node's attributes as Python's own types and NumPy arrays."""
    import onnx

    def plain(value: Any) -> Any:
        if isinstance(value, bytes):
            return value.decode(errors="replace")
        if isinstance(value, onnx.TensorProto):
            return _array(value)
        return [plain(v) for v in value] if isinstance(value, list) else value

    return {a.name: plain(onnx.helper.get_attribute_value(a)) for a in node.attribute}


def inputs(node: Any, *names: str) -> dict[str, str]:
    """The inputs that a node has, by what its operator calls them."""
    given: Iterator[tuple[str, str]] = zip(names, node.input, strict=False)
    return {name: value for name, value in given if value}


def keeps(node: Any) -> bool:
    """Whether a node gives the numbers and the axes that it is given."""
    if node.op_type == "Cast":
        return attributes(node).get("to") in _WHOLE
    return node.op_type == "Identity"


def shown(node: Any) -> str:
    """How an error calls a node.

    Example:
      >>> from onnx.helper import make_node
      >>> shown(make_node("LSTM", ["x"], ["y"], name="first"))
      'LSTM node "first"'
    """
    return f'{node.op_type} node "{node.name or next(iter(node.output), "")}"'


def _rank(value: Any) -> int | None:
    tensor = value.type.tensor_type
    return len(tensor.shape.dim) if tensor.HasField("shape") else None


def _cast(array: np.ndarray, to: int | None) -> np.ndarray:
    """The array in the dtype of that number; None: its own."""
    from onnx import helper

    if to is None:
        return array
    try:
        return array.astype(helper.tensor_dtype_to_np_dtype(to))
    except KeyError as error:
        raise ValueError(f"ONNX has no dtype of number {to}") from error


def _array(tensor: Any) -> np.ndarray:
    from onnx import numpy_helper

    try:
        return numpy_helper.to_array(tensor)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the constant {tensor.name!r} is damaged") from error


def _constant(node: Any) -> np.ndarray:
    ((_, value),) = attributes(node).items()
    return np.asarray(value)
