"""What this room asks of the numbers, ids and sequences it is given."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike


def check_integer(name: str, value: int, *, least: int) -> None:
    """Raises unless `value` is an integer of at least `least`.

    Args:
      name: the argument's name, for the message.
      value: what the caller gave.
      least: the smallest value that is allowed.

    Raises:
      TypeError: `value` is not an integer.
      ValueError: `value` is below `least`.

    Example:
      >>> check_integer("batch_size", 0, least=1)
      Traceback (most recent call last):
      ValueError: `batch_size` must be at least 1, got 0
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"`{name}` must be an integer, got {value!r}")
    if value < least:
        raise ValueError(f"`{name}` must be at least {least}, got {value}")


def check_integers(
    name: str, values: ArrayLike, *, least: int = 0, below: int | None = None
) -> np.ndarray:
    """Returns `values` as an array of integers, or raises.

    Args:
      name: the argument's name, for the message.
      values: integers [N], as an array or a sequence.
      least: the smallest value that is allowed.
      below: every value must be below it; None sets no upper bound.

    Returns:
      The integers [N], in the dtype that they came in.

    Raises:
      TypeError: the values are not integers.
      ValueError: they have not one axis, or one of them is out of range.

    Example:
      >>> check_integers("ids", [2, 7], below=5)
      Traceback (most recent call last):
      ValueError: `ids` must lie in [0, 5), got 7 at position 1
    """
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"`{name}` must have shape (N,), got {array.shape}")
    if array.size == 0:
        return array.astype(np.int32)  # NumPy reads an empty list as floats
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"`{name}` must hold integers, got {array.dtype}")
    outside = array < least
    if below is not None:
        outside |= array >= below
    if outside.any():
        place = int(outside.argmax())
        allowed = (
            f"be at least {least}" if below is None else f"lie in [{least}, {below})"
        )
        raise ValueError(
            f"`{name}` must {allowed}, got {array[place]} at position {place}"
        )
    return array


def check_sequences(
    name: str, arrays: Sequence[ArrayLike], places: Iterable[int]
) -> list[np.ndarray]:
    """Returns some sequences as arrays, or raises unless they fit side by side.

    Args:
      name: the argument's name, for the message.
      arrays: all sequences, the i-th of shape [T_i, ...].
      places: which of them; -1 is one without steps.

    Returns:
      The sequences at `places`, each an array [T_i, ...].

    Raises:
      TypeError: a dtype is not that of the first sequence.
      ValueError: there is no sequence, or a shape does not fit the first one's.

    Example:
      >>> check_sequences("arrays", [[1.0, 2.0], [[3.0]]], range(2))
      Traceback (most recent call last):
      ValueError: `arrays[1]` must have shape (T,) like `arrays[0]`, got (1, 1)
    """
    if not len(arrays):
        raise ValueError(f"`{name}` must hold at least one sequence, got none")
    first = np.asarray(arrays[0])
    if first.ndim == 0:
        raise ValueError(f"`{name}[0]` must have shape (T, ...), got ()")
    return [
        _check_like(first, f"{name}[0]", arrays[place], f"{name}[{place}]")
        if place >= 0
        else first[:0]
        for place in places
    ]


def _check_like(
    first: np.ndarray, first_name: str, values: ArrayLike, name: str
) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != first.ndim or array.shape[1:] != first.shape[1:]:
        shape = str(("T", *first.shape[1:])).replace("'", "")
        raise ValueError(
            f"`{name}` must have shape {shape} like `{first_name}`, got {array.shape}"
        )
    if array.dtype != first.dtype:
        raise TypeError(
            f"`{name}` must have dtype {first.dtype} like `{first_name}`, got"
            f" {array.dtype}"
        )
    return array
