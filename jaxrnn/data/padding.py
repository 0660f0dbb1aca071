"""Sequences of different lengths as one array, and back."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from jaxrnn.data.checks import check_integer, check_integers, check_sequences


def pad(
    arrays: Sequence[ArrayLike], *, length: int | None = None, value: float = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Returns sequences side by side, time first, the shorter ones padded at the end.

    Args:
      arrays: B sequences, the i-th of shape [T_i, ...]; dtype and trailing axes agree.
      length: the number of steps T; None is that of the longest sequence.
      value: what padding is made of.

    Returns:
      The pair (xs [T, B, ...], lengths int32 [B]), xs in the dtype of the sequences.

    Raises:
      TypeError: the dtypes differ.
      ValueError: there is no sequence, one has no time axis, the trailing axes differ,
        or one is longer than `length`.

    Example:
      >>> from jaxrnn.data import pad
      >>> xs, lengths = pad([[1, 2, 3], [4]])
      >>> xs.T, lengths
      (array([[1, 2, 3],
             [4, 0, 0]]), array([3, 1], dtype=int32))
    """
    return gather(arrays, range(len(arrays)), length=length, value=value)


def unpad(xs: ArrayLike, lengths: ArrayLike) -> list[np.ndarray]:
    """Returns the sequences that were padded: the inverse of `pad`.

    Args:
      xs: array [T, B, ...].
      lengths: integers [B], each in [0, T].

    Returns:
      B views of `xs`, the i-th of shape [lengths[i], ...].

    Raises:
      TypeError: `lengths` does not hold integers.
      ValueError: the shapes do not fit, or a length is out of range.

    Example:
      >>> from jaxrnn.data import unpad
      >>> unpad([[1, 4], [2, 0], [3, 0]], [3, 1])
      [array([1, 2, 3]), array([4])]
    """
    xs = np.asarray(xs)
    if xs.ndim < 2:
        raise ValueError(f"`xs` must have shape (T, B, ...), got {xs.shape}")
    lengths = check_integers("lengths", lengths, below=len(xs) + 1)
    if lengths.shape != xs.shape[1:2]:
        raise ValueError(
            f"`lengths` must have shape (B,) = {xs.shape[1:2]}, got {lengths.shape}"
        )
    return [xs[:steps, row] for row, steps in enumerate(lengths)]


def gather(
    arrays: Sequence[ArrayLike],
    rows: ArrayLike,
    *,
    length: int | None = None,
    value: float = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Pads the sequences that `rows` names, so that companions go with a batch.

    Args:
      arrays: sequences, as in `pad`.
      rows: integers [B], places in `arrays`; -1 is a row of length 0.
      length: as in `pad`.
      value: as in `pad`.

    Returns:
      The pair (xs [T, B, ...], lengths int32 [B]).

    Raises:
      TypeError: `rows` does not hold integers, or dtypes differ.
      ValueError: a place is out of range, or the sequences do not fit, as in `pad`.

    Example:
      >>> from jaxrnn.data import gather
      >>> xs, lengths = gather([[1, 2, 3], [4], [5]], [2, 0, -1])
      >>> xs.T, lengths
      (array([[5, 0, 0],
             [1, 2, 3],
             [0, 0, 0]]), array([1, 3, 0], dtype=int32))
    """
    rows = check_integers("rows", rows, least=-1, below=len(arrays))
    sequences = check_sequences("arrays", arrays, rows.tolist())
    lengths = np.array([len(sequence) for sequence in sequences], np.int32)
    longest = int(lengths.max(initial=0))
    if length is None:
        length = longest
    check_integer("length", length, least=0)
    if longest > length:
        raise ValueError(
            f"`arrays[{rows[lengths.argmax()]}]` must have at most `length` ="
            f" {length} steps, got {longest}"
        )
    first = np.asarray(arrays[0])
    xs = np.full((length, len(rows), *first.shape[1:]), value, first.dtype)
    for row, sequence in enumerate(sequences):
        xs[: len(sequence), row] = sequence
    return xs, lengths
