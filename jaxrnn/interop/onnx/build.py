"""An ONNX graph as a writer grows it, node by node."""

from typing import Any

import numpy as np

# What LayerNormalization needs; runtimes know it since 2022.
OPSET = 17


class Build:
    """Nodes, constants, inputs and outputs, in the order in which they are added.

    Args:
      dtype: of its numbers.
      carried: whether initial states are inputs of the graph and last ones outputs.

    Attributes:
      lengths: the name of the input that tells them; "": there is none.
    """

    def __init__(self, dtype: Any, *, carried: bool = False) -> None:
        self.dtype = dtype
        self.carried = carried
        self.lengths = ""
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def add(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """One node more.

        Returns:
          The name of its output, or, of several, their names.
        """
        from onnx import helper

        name = f"{op}_{len(self._nodes)}"
        # A trailing input that is not there is left out; others are "".
        given = list(inputs)
        while given and not given[-1]:
            given.pop()
        names = [name] if outputs == 1 else [f"{name}_{i}" for i in range(outputs)]
        self._nodes.append(helper.make_node(op, given, names, name=name, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, array: Any) -> str:
        """An array under a name of its own."""
        from onnx import numpy_helper

        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(weights(array), name))
        return name

    def input(self, name: str, dtype: Any, shape: tuple[int | str, ...]) -> str:
        """An input of the graph; sizes that may change have names."""
        self._inputs.append(_value(name, dtype, shape))
        return name

    def output(
        self, value: str, name: str, dtype: Any, shape: tuple[int | str, ...]
    ) -> None:
        """An output of the graph: a value under another name."""
        from onnx import helper

        self._nodes.append(helper.make_node("Identity", [value], [name], name=name))
        self._outputs.append(_value(name, dtype, shape))

    def model(self) -> Any:
        """The graph as a model, once ONNX has found nothing wrong in it."""
        import onnx
        from onnx import helper

        graph = helper.make_graph(
            self._nodes, "jaxrnn", self._inputs, self._outputs, self._constants
        )
        opset = helper.make_opsetid("", OPSET)
        # Not this package's newest, which a runtime may not know yet.
        version = helper.find_min_ir_version_for([opset])
        model = helper.make_model(
            graph, producer_name="jaxrnn", opset_imports=[opset], ir_version=version
        )
        onnx.checker.check_model(model)
        return model


def weights(array: Any) -> np.ndarray:
    """An array in a dtype that runtimes know: half precision becomes float32.

    Example:
      >>> str(weights(np.ones(2, np.float16)).dtype)
      'float32'
    """
    array = np.asarray(array)
    narrow = array.dtype.itemsize == 2 and not np.issubdtype(array.dtype, np.integer)
    return array.astype(np.float32) if narrow else array


def _value(name: str, dtype: Any, shape: tuple[int | str, ...]) -> Any:
    from onnx import helper

    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, kind, shape)
