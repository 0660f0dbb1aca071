"""The same cell in another form: its gates coupled or apart, of one bias or of two."""

from typing import Any

import numpy as np

from jaxrnn.interop.gates import gates_of
from jaxrnn.interop.onnx.activations import is_odd
from jaxrnn.interop.same import with_one_bias
from jaxrnn.typing import PyTree

Model = tuple[Any, PyTree]  # a cell and its parameters


def check_odd(cell: Any, field: str) -> None:
    """Raise unless 1 - f(a) = f(-a) for the gates' function f."""
    if not is_odd(cell.gate_activation):
        raise ValueError(
            f"`{field}` with `gate_activation={cell.gate_activation!r}` has no "
            "counterpart: 1 - f(a) is not f(-a)"
        )


def with_coupled(cell: Any, params: PyTree, coupled: bool) -> Model:
    """The LSTM with i = 1 - f, of ONNX's f = 1 - i, and the other way round.

    One is the other with the sums turned round, as 1 - s(a) = s(-a).
    """
    check_odd(cell, "input_forget=1")
    other, turned = cell.replace(coupled=coupled), {}
    for name, param in params.items():
        have = gates_of(cell, name)
        split = np.split(np.asarray(param), len(have), axis=-1)
        blocks = dict(zip(have, split, strict=True))
        if coupled:
            blocks["f"] = -blocks["i"]
        else:
            blocks |= {"i": -blocks["f"], "f": np.zeros_like(blocks["f"])}
        ordered = [blocks[gate] for gate in gates_of(other, name)]
        turned[name] = np.concatenate(ordered, axis=-1)
    return other, turned


def without_offset(cell: Any, params: PyTree) -> Model:
    """The same LSTM with `forget_offset` in its biases."""
    if not getattr(cell, "forget_offset", 0):
        return cell, params
    forget = np.repeat([gate == "f" for gate in cell.gates], cell.hidden_size)
    bias = params["bias"] + (cell.forget_offset * forget).astype(params["bias"].dtype)
    return cell.replace(forget_offset=0.0), params | {"bias": bias}


def without_zero_bias(cell: Any, params: PyTree) -> Model:
    """The same cell without a second bias, if that is 0 wherever one would do."""
    second = params["recurrent_bias"]
    if getattr(cell, "reset", "before") == "after":
        second = second[: 2 * cell.hidden_size]
    return (cell, params) if second.any() else with_one_bias(cell, params)
