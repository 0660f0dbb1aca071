"""A data set of sequences as shuffled, padded batches of a few shapes."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxrnn.data.buckets import bucket_boundaries
from jaxrnn.data.checks import check_integer, check_sequences
from jaxrnn.data.padding import gather


class Batch(NamedTuple):
    """Sequences side by side.

    Attributes:
      xs: array [T, B, ...], padded with zeros.
      lengths: the length of every row, int32 [B]; 0 for a filler row.
      rows: the place of every row in the data set, int32 [B]; -1 for a filler row.

    Example:
      >>> Batch(np.zeros((5, 2)), np.array([5, 0]), np.array([7, -1])).rows >= 0
      array([ True, False])
    """

    xs: np.ndarray
    lengths: np.ndarray
    rows: np.ndarray


def batches(
    arrays: Sequence[ArrayLike],
    *,
    batch_size: int,
    max_buckets: int = 4,
    shuffle: bool = True,
    drop_last: bool = False,
    seed: int = 0,
    epoch: int = 0,
) -> Iterator[Batch]:
    """Returns the batches of one epoch, sequences of similar lengths together.

    The batches have at most `max_buckets` shapes, the same in every epoch, with the
    lengths that `bucket_boundaries` finds to cost the least. A bucket's last batch is
    filled up with rows of length 0, so it is no other shape. Labels go with a batch by
    its rows: `labels[batch.rows]` for one label a sequence (a filler row takes the
    last one, for a loss to leave out), and for one label a step by
    `gather(tags, batch.rows, length=len(batch.xs))`.

    Args:
      arrays: N sequences, the i-th of shape [T_i, ...]; dtype and trailing axes agree.
      batch_size: the number of rows B of every batch.
      max_buckets: the most shapes.
      shuffle: draw the rows of a batch and the order of the batches at random;
        otherwise the buckets come by length, each in the order of the data set.
      drop_last: leave out the batches that would have to be filled up, so a
        bucket of fewer sequences than a batch in every epoch.
      seed: the same seed and epoch give the same batches, in any process.
      epoch: another epoch draws other batches.

    Returns:
      An iterator over batches; it pads each when its turn comes.

    Raises:
      TypeError: a number is not an integer, or the dtypes of the sequences differ.
      ValueError: a number is out of range, there is no sequence, the trailing axes
        differ, or `drop_last` would leave no batch.

    Example:
      >>> from jaxrnn.data import batches
      >>> for xs, lengths, rows in batches(
      ...     [[1], [2, 3, 4], [5, 6]], batch_size=2, max_buckets=2, shuffle=False
      ... ):
      ...     print(xs.T.tolist(), lengths, rows)
      [[1], [0]] [1 0] [ 0 -1]
      [[2, 3, 4], [5, 6, 0]] [3 2] [1 2]
    """
    check_integer("batch_size", batch_size, least=1)
    check_integer("max_buckets", max_buckets, least=1)
    check_integer("seed", seed, least=0)
    check_integer("epoch", epoch, least=0)
    sequences = check_sequences("arrays", arrays, range(len(arrays)))
    lengths = np.array([len(sequence) for sequence in sequences])
    tops = bucket_boundaries(lengths, max_buckets=max_buckets, batch_size=batch_size)
    bucket_of = np.searchsorted(tops, lengths)
    rng = np.random.default_rng([seed, epoch]) if shuffle else None
    plan = _plan(bucket_of, batch_size, drop_last, rng)
    if not plan:
        raise ValueError(
            f"`drop_last` must leave a batch, got no bucket of `batch_size` ="
            f" {batch_size} sequences (the largest has {np.bincount(bucket_of).max()})"
        )
    return (
        Batch(*gather(sequences, rows, length=tops[bucket]), rows)
        for bucket, rows in plan
    )


def _plan(
    bucket_of: np.ndarray,
    batch_size: int,
    drop_last: bool,
    rng: np.random.Generator | None,
) -> list[tuple[int, np.ndarray]]:
    """The bucket and the rows of every batch, in order; `rng` shuffles both."""
    order = rng.permutation(len(bucket_of)) if rng else np.arange(len(bucket_of))
    plan = []
    for bucket in range(bucket_of.max() + 1):
        members = order[bucket_of[order] == bucket]
        for start in range(0, len(members), batch_size):
            rows = np.full(batch_size, -1, np.int32)
            chunk = members[start : start + batch_size]
            rows[: len(chunk)] = chunk
            if len(chunk) == batch_size or not drop_last:
                plan.append((bucket, rows))
    return [plan[i] for i in rng.permutation(len(plan))] if rng else plan
