"""The same cell in another convention, and what a format's equations do not hold."""

import dataclasses
from collections.abc import Collection
from typing import Any

import numpy as np

from jaxrnn.cell import Cell
from jaxrnn.combine import Bidirectional, Stack
from jaxrnn.interop.gates import gates_of
from jaxrnn.typing import PyTree

# The fields that tell how a cell starts; the others stand in its equations.
_START = (
    *("bias_init", "chrono", "embedding_init", "forget_bias", "kernel_init"),
    "recurrent_init",
)
_ANY = (*_START, "hidden_size", "dtype", "param_dtype")
# Those in which the same equations may be written in more than one way.
_CONVENTIONS = ("forget_offset", "recurrent_bias", "update")


def refuse(cell: Cell, place: str, allowed: Collection[str] = (), **must: Any) -> None:
    """Raise for what stands in a cell's equations and not in those of `place`.

    Args:
      cell: what is to be written.
      place: the name of the format, for the message.
      allowed: the fields that it knows with any value.
      **must: the values that other fields must have; the rest, as they are by default.

    Raises:
      ValueError: naming every such field.
    """
    unknown = [
        f"`{f.name}={getattr(cell, f.name)!r}`"
        for f in dataclasses.fields(cell)
        if f.name not in (*_ANY, *allowed)
        and getattr(cell, f.name) != must.get(f.name, f.default)
    ]
    if unknown:
        raise ValueError(
            f"{place} has no counterpart of {', '.join(unknown)} of {cell}"
        )


def refuse_directions(cell: Cell, place: str) -> None:
    """Raise for both directions, at any level, where `place` has one alone.

    Example:
      >>> import jaxrnn as jr
      >>> refuse_directions(jr.Stack(jr.Bidirectional(jr.LSTM(4))), "Haiku")
      Traceback (most recent call last):
      ValueError: Haiku has no counterpart of Bidirectional(LSTM(4), backward=LSTM(4))
    """
    if isinstance(cell, Bidirectional):
        raise ValueError(f"{place} has no counterpart of {cell}")
    for layer in cell.cells if isinstance(cell, Stack) else ():
        refuse_directions(layer, place)


def check_equations(cell: Cell, found: Cell) -> None:
    """Raise unless a cell that was given has the equations of the module's own.

    Args:
      cell: what the module is to be read as.
      found: what it is.

    Raises:
      ValueError: naming both.

    Example:
      >>> import jaxrnn as jr
      >>> check_equations(jr.GRU(4, update="replace"), jr.GRU(4))
      >>> check_equations(jr.Elman(4), jr.Elman(4, "relu"))
      Traceback (most recent call last):
      ValueError: the module is Elman(4, activation='relu'), which has no ...
    """
    if not alike(cell, found, but=_CONVENTIONS):
        raise ValueError(f"the module is {found}, which has no counterpart of {cell}")


def with_update(cell: Any, params: PyTree, update: str) -> tuple[Any, PyTree]:
    """The same GRU, its update gate in the other sense: 1 - s(a) = s(-a).

    Args:
      cell: a GRU.
      params: its parameters.
      update: "keep" or "replace".

    Returns:
      `(cell, params)`: the signs of everything in z are turned.

    Example:
      >>> import jaxrnn as jr
      >>> params = {"bias": np.array([1.0, 2.0, 3.0])}
      >>> with_update(jr.GRU(1), params, "replace")[1]["bias"].tolist()
      [-1.0, 2.0, 3.0]
    """
    if cell.update == update:
        return cell, params
    turned = dict(params)
    for name, param in params.items():
        if gates_of(cell, name).startswith("z"):
            signs = np.repeat([-1.0, 1.0, 1.0], cell.hidden_size)
            turned[name] = param * signs.astype(param.dtype)
    return cell.replace(update=update), turned


def with_two_biases(cell: Any, params: PyTree) -> tuple[Any, PyTree]:
    """The same cell with `recurrent_bias`, 0 where it had none.

    Example:
      >>> import jaxrnn as jr
      >>> params = {"bias": np.ones(6), "recurrent_bias": np.ones(2)}
      >>> cell, params = with_two_biases(jr.GRU(2, reset="after"), params)
      >>> params["recurrent_bias"].tolist()
      [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]
    """
    if cell.recurrent_bias:
        return cell, params
    second = np.zeros_like(params["bias"])
    if "recurrent_bias" in params:
        second[-cell.hidden_size :] = params["recurrent_bias"]
    return cell.replace(recurrent_bias=True), params | {"recurrent_bias": second}


def with_one_bias(cell: Any, params: PyTree) -> tuple[Any, PyTree]:
    """The same cell without `recurrent_bias`, which is added to `bias`.

    Its outputs are the same, but an optimiser will move one bias where it moved two.

    Example:
      >>> import jaxrnn as jr
      >>> params = {"bias": np.ones(6), "recurrent_bias": np.ones(6)}
      >>> cell, params = with_one_bias(
      ...     jr.GRU(2, reset="after", recurrent_bias=True), params
      ... )
      >>> params["bias"].tolist(), params["recurrent_bias"].tolist()
      ([2.0, 2.0, 2.0, 2.0, 1.0, 1.0], [1.0, 1.0])
    """
    if not cell.recurrent_bias:
        return cell, params
    rest = {name: param for name, param in params.items() if name != "recurrent_bias"}
    second, kept = params["recurrent_bias"], {}
    if getattr(cell, "reset", "before") == "after":
        H = cell.hidden_size
        kept = {"recurrent_bias": second[-H:]}
        second = second * np.repeat([1.0, 0.0], [2 * H, H]).astype(second.dtype)
    rest |= {"bias": params["bias"] + second} | kept
    return cell.replace(recurrent_bias=False), rest


def with_forget_offset(cell: Any, params: PyTree, offset: float) -> tuple[Any, PyTree]:
    """The same LSTM with another `forget_offset`, b_f that much smaller or larger.

    Example:
      >>> import jaxrnn as jr
      >>> params = {"bias": np.zeros(4)}  # i, f, o, g
      >>> with_forget_offset(jr.LSTM(1), params, 1.0)[1]["bias"].tolist()
      [0.0, -1.0, 0.0, 0.0]
    """
    if cell.forget_offset == offset:
        return cell, params
    forget = np.repeat([gate == "f" for gate in cell.gates], cell.hidden_size)
    more = np.asarray((cell.forget_offset - offset) * forget, params["bias"].dtype)
    changed = params | {"bias": params["bias"] + more}
    return cell.replace(forget_offset=offset), changed


def alike(one: Any, other: Any, *, but: Collection[str] = ()) -> bool:
    """Whether two cells have the same equations and sizes, however they start.

    Args:
      one: a cell.
      other: another.
      but: fields that may differ, in the cells inside too.

    Example:
      >>> import jaxrnn as jr
      >>> alike(jr.TorchLSTM(4), jr.LSTM(4, recurrent_bias=True))
      True
    """
    if isinstance(one, tuple) and isinstance(other, tuple):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(alike(a, b, but=but) for a, b in pairs)
    if not isinstance(one, Cell) or type(one) is not type(other):
        return one == other
    return all(
        alike(getattr(one, field.name), getattr(other, field.name), but=but)
        for field in dataclasses.fields(one)
        if field.name not in (*_START, "dtype", "param_dtype", *but)
    )
