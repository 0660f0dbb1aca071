"""Pairs of sequences as batches of a few shapes."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxrnn.data.batches import batches
from jaxrnn.data.buckets import bucket_boundaries
from jaxrnn.data.padding import gather


class PairBatch(NamedTuple):
    """Sources and targets side by side.

    Attributes:
      sources: array [B, S], batch first, as a context is; padded with zeros.
      source_lengths: int32 [B]; 0 for a filler row.
      targets: array [T, B], padded with zeros.
      target_lengths: int32 [B]; 0 for a filler row.
      rows: the place of every pair in the data set, int32 [B]; -1 for a filler row.
    """

    sources: np.ndarray
    source_lengths: np.ndarray
    targets: np.ndarray
    target_lengths: np.ndarray
    rows: np.ndarray


def pair_batches(
    sources: Sequence[ArrayLike],
    targets: Sequence[ArrayLike],
    *,
    batch_size: int,
    max_buckets: int = 4,
    **options: Any,
) -> Iterator[PairBatch]:
    """Returns the batches of one epoch, pairs of similar lengths together.

    The longer of source and target says which bucket a pair is in, as in `batches`. A
    bucket pads its sources to the longest of them, and its targets likewise, so that
    there are `max_buckets` shapes at most.

    Args:
      sources: N sequences, the i-th of shape [S_i].
      targets: N sequences, the i-th of shape [T_i].
      batch_size: the number of rows of every batch.
      max_buckets: the most shapes.
      **options: `shuffle`, `drop_last`, `seed` and `epoch`, as for `batches`.

    Returns:
      An iterator over batches.

    Raises:
      ValueError, TypeError: there are not as many sources as targets; and as for
        `batches`.

    Example:
      >>> for batch in pair_batches(
      ...     [[1, 2], [3], [4]], [[5], [6, 7, 8], [9, 9]], batch_size=2, shuffle=False
      ... ):
      ...     print(batch.sources.tolist(), batch.targets.T.tolist(), batch.rows)
      [[1, 2], [4, 0]] [[5, 0], [9, 9]] [0 2]
      [[3], [0]] [[6, 7, 8], [0, 0, 0]] [ 1 -1]
    """
    if len(sources) != len(targets):
        raise ValueError(
            "`sources` and `targets` must be as many, "
            f"got {len(sources)} and {len(targets)}"
        )
    shapes: dict[str, Any] = {"batch_size": batch_size, "max_buckets": max_buckets}
    longer = [max(pair, key=np.size) for pair in zip(sources, targets, strict=True)]
    planned = batches(longer, **shapes, **options)
    tops = bucket_boundaries([np.size(each) for each in longer], **shapes)
    bucket_of = np.searchsorted(tops, [np.size(each) for each in longer])
    longest = [_longest(side, bucket_of, len(tops)) for side in (sources, targets)]

    def padded(rows: np.ndarray, bucket: int) -> PairBatch:
        xs, source_lengths = gather(sources, rows, length=longest[0][bucket])
        ys, target_lengths = gather(targets, rows, length=longest[1][bucket])
        return PairBatch(xs.T, source_lengths, ys, target_lengths, rows)

    return (padded(batch.rows, tops.index(len(batch.xs))) for batch in planned)


def _longest(
    arrays: Sequence[ArrayLike], bucket_of: np.ndarray, count: int
) -> list[int]:
    """The longest sequence of each bucket."""
    found = np.zeros(count, int)
    np.maximum.at(found, bucket_of, [np.size(array) for array in arrays])
    return found.tolist()
