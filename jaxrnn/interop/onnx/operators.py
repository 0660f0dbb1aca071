"""ONNX's recurrent operators and our cells: attributes and weights.

The kernels are transposed, `[directions, gates*H, input_size]`; the gates stand in the
order i, o, f, c (our g) and z, r, h (our n). `B` holds both biases of a direction, one
after the other.

References:
  ONNX, operators LSTM, GRU and RNN of opset 22.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn.cells import GRU, LSTM, Elman
from jaxrnn.checks import one_of, positive
from jaxrnn.interop.gates import Stored, Table, check, restored, stored
from jaxrnn.interop.onnx.activations import (
    Functions,
    as_written,
    clipped,
    to_onnx,
    to_ours,
    unclipped,
)
from jaxrnn.interop.onnx.forms import (
    Model,
    check_odd,
    with_coupled,
    without_offset,
    without_zero_bias,
)
from jaxrnn.interop.same import refuse, with_two_biases, with_update
from jaxrnn.typing import PyTree


class Operator(NamedTuple):
    """One of the three.

    Attributes:
      cell: what it is with us.
      table: where the parameters of one direction stand.
      gates: their number.
      fields: of the cell, which hold the functions f, g and h.
      defaults: these functions where no attribute states them.
      switches: the attributes that the other two do not have.
    """

    cell: Any
    table: Table
    gates: int
    fields: tuple[str, ...]
    defaults: tuple[str, ...]
    switches: tuple[str, ...] = ()


def _table(gates: str, **more: Stored) -> Table:
    return {
        "kernel": Stored("W", gates, True),
        "recurrent_kernel": Stored("R", gates, True),
        "bias": Stored("Wb", gates),
        "recurrent_bias": Stored("Rb", gates),
    } | more


OPERATORS = {
    "LSTM": Operator(
        LSTM,
        _table("iofg", peephole=Stored("P", "iof")),
        4,
        ("gate_activation", "activation", "output_activation"),
        ("Sigmoid", "Tanh", "Tanh"),
        ("input_forget",),
    ),
    "GRU": Operator(
        GRU,
        _table("zrn"),
        3,
        ("gate_activation", "activation"),
        ("Sigmoid", "Tanh"),
        ("linear_before_reset",),
    ),
    "RNN": Operator(Elman, _table(""), 1, ("activation",), ("Tanh",)),
}
NAMES = {operator.cell: name for name, operator in OPERATORS.items()}
_SHARED = ("hidden_size", "direction", "layout", *Functions._fields)


def directions(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """The directions of a node, in the order of its arrays.

    Raises:
      ValueError: for one that is none.
    """
    known = {
        "forward": ("forward",),
        "reverse": ("reverse",),
        "bidirectional": ("forward", "reverse"),
    }
    direction = attributes.get("direction", "forward")
    if direction not in known:
        raise ValueError(f"`direction` must be one of {list(known)}, got {direction!r}")
    return known[direction]


def to_cells(
    name: str, attributes: Mapping[str, Any], weights: Mapping[str, np.ndarray]
) -> list[Model]:
    """The cells of a node, one a direction, each with its parameters.

    Args:
      name: "LSTM", "GRU" or "RNN".
      attributes: of the node.
      weights: `W`, `R` and, where the node has them, `B` and `P`.

    Raises:
      ValueError: for attributes and weights that are not the operator's, and for what
        our cells have no counterpart of.
    """
    operator = OPERATORS[name]
    unknown = set(attributes) - {*_SHARED, *operator.switches}
    if unknown:
        raise ValueError(f"{name} has no attributes {', '.join(sorted(unknown))} here")
    for switch in ("layout", *operator.switches):
        one_of((0, 1), **{switch: attributes.get(switch, 0)})
    count = len(directions(attributes))
    H = attributes.get("hidden_size", _last(weights["R"]))
    positive(hidden_size=H)
    if "P" in weights and "peephole" not in operator.table:
        raise ValueError(f"`P`, peepholes, are of an LSTM, not of {name}")
    _check_weights(name, (count, operator.gates, H), weights)
    functions = _functions(operator, attributes, count)
    return [
        _to_cell(
            operator, attributes, functions[d], {k: w[d] for k, w in weights.items()}
        )
        for d in range(count)
    ]


def _check_weights(
    name: str, sizes: tuple[int, int, int], weights: Mapping[str, np.ndarray]
) -> None:
    D, G, H = sizes
    shapes = {
        "W": (D, G * H, _last(weights["W"])),
        "R": (D, G * H, H),
        "B": (D, 2 * G * H),
        "P": (D, 3 * H),
    }
    expected = {key: np.broadcast_to(0.0, shapes[key]) for key in weights}
    check(expected, weights, f"the weights do not fit {name} of hidden_size {H}")


def _last(array: np.ndarray) -> int:
    return array.shape[-1] if array.ndim else 0


def _functions(
    operator: Operator, attributes: Mapping[str, Any], count: int
) -> list[list[Any]]:
    """f, g and h of each direction, of what `clip` leaves of their sums."""
    names = attributes.get("activations") or operator.defaults * count
    one = len(operator.defaults)
    # The schema of RNN itself gives two functions where one direction takes one.
    if list(names) == ["Tanh", "Tanh"] and one == 1:
        names = names[:count]
    if len(names) != one * count:
        raise ValueError(f"`activations` must be {one * count}, got {list(names)}")
    stated = {key: attributes.get(key, ()) for key in Functions._fields[1:3]}
    functions = to_ours(Functions(names, **stated))
    limit = attributes.get("clip")
    if limit is not None:
        limit = as_written(limit)
        if not limit > 0:
            raise ValueError(f"`clip` must be above 0, got {limit}")
    result = []
    for d in range(count):
        own = functions[d * one : (d + 1) * one]
        # Runtimes clip the gates' sums, and not the cell state that h is given.
        result.append([*clipped(own[:2], limit), *own[2:]])
    return result


def _to_cell(
    operator: Operator,
    attributes: Mapping[str, Any],
    functions: Sequence[Any],
    weights: dict[str, np.ndarray],
) -> Model:
    """The cell of one direction, without what it has no need of."""
    W, biases = weights["W"], weights.pop("B", None)
    if biases is None:
        biases = np.zeros(2 * len(W), W.dtype)
    arrays = weights | dict(zip(("Wb", "Rb"), np.split(biases, 2), strict=True))
    fields = dict(zip(operator.fields, functions, strict=True))
    if fields.get("output_activation") == fields["activation"]:
        del fields["output_activation"]
    if operator.cell is GRU:
        fields["reset"] = "after" if attributes.get("linear_before_reset") else "before"
    if "P" in weights:
        fields["peepholes"] = True
    H = weights["R"].shape[-1]
    cell = operator.cell(H, recurrent_bias=True, **fields)
    params = restored(cell, W.shape[-1], arrays, operator.table)
    if attributes.get("input_forget"):
        cell, params = with_coupled(cell, params, True)
    cell, params = without_zero_bias(cell, params)
    return cell, jax.tree.map(jnp.asarray, params)


def to_weights(
    cell: Any, params: PyTree
) -> tuple[str, dict[str, Any], dict[str, np.ndarray]]:
    """An operator's name, its attributes and its weights, of one direction.

    Args:
      cell: an LSTM, a GRU or an Elman.
      params: its parameters.

    Returns:
      The name, the attributes, and `W`, `R`, `B` and, of peepholes, `P`, each with
      a first axis of 1.

    Raises:
      ValueError: for what the operator has no counterpart of.
    """
    name = NAMES[type(cell)]
    operator = OPERATORS[name]
    known = (
        "coupled",
        "forget_offset",
        "peepholes",
        "recurrent_bias",
        "reset",
        "update",
    )
    refuse(cell, f"ONNX's {name}", (*operator.fields, *known))
    attributes = {"hidden_size": cell.hidden_size} | _stated(operator, cell)
    cell, params = with_two_biases(*without_offset(cell, params))
    if getattr(cell, "coupled", False):
        attributes["input_forget"] = 1
        cell, params = with_coupled(cell, params, False)
    if isinstance(cell, GRU):
        attributes["linear_before_reset"] = int(cell.reset == "after")
        if cell.update == "replace":
            check_odd(cell, "update='replace'")
        cell, params = with_update(cell, params, "keep")
    arrays = stored(cell, params, operator.table)
    arrays["B"] = np.concatenate([arrays.pop("Wb"), arrays.pop("Rb")])
    return name, attributes, {key: array[None] for key, array in arrays.items()}


def _stated(operator: Operator, cell: Any) -> dict[str, Any]:
    """The attributes of a cell's functions, where they are not the usual ones."""
    own = [getattr(cell, field) for field in operator.fields]
    own = [own[1] if function is None else function for function in own]
    inside, limit = unclipped(own[:2])
    functions = to_onnx([*inside, *own[2:]])._replace(clip=limit)
    usual = Functions(list(operator.defaults), [], [])
    stated = functions._asdict() if functions != usual else {}
    return {key: value for key, value in stated.items() if value}
