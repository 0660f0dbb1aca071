"""Which lengths to pad to: the least padding for a given number of shapes."""

import numpy as np
from numpy.typing import ArrayLike

from jaxrnn.data.checks import check_integer, check_integers

# The work grows with the square of the number of candidate boundaries.
_MOST_CANDIDATES = 2000


def bucket_boundaries(
    lengths: ArrayLike, *, max_buckets: int, batch_size: int = 1
) -> tuple[int, ...]:
    """Returns the bucket lengths that cost the fewest steps, at most `max_buckets`.

    A sequence goes to the shortest bucket that holds it, and every bucket length is
    one shape, so one compilation. A bucket of n sequences costs its length times n,
    n rounded up to whole batches. The minimum over all choices is found by dynamic
    programming over the different lengths. Above 2000 different ones only 2000 of
    them, evenly spaced by rank, can be boundaries.

    Args:
      lengths: integers [N], at least 0; a length of 0 counts as 1.
      max_buckets: the most bucket lengths.
      batch_size: the number of rows that batches are filled up to.

    Returns:
      The bucket lengths, ascending; the last one is the longest length.

    Raises:
      TypeError: an argument is not made of integers.
      ValueError: there is no length, or a number is out of range.

    Example:
      >>> from jaxrnn.data import bucket_boundaries
      >>> bucket_boundaries([3, 4, 4, 10, 11, 40], max_buckets=3)
      (4, 11, 40)
    """
    check_integer("max_buckets", max_buckets, least=1)
    check_integer("batch_size", batch_size, least=1)
    lengths = check_integers("lengths", lengths)
    if not len(lengths):
        raise ValueError("`lengths` must hold at least one length, got none")
    tops, up_to = _candidates(np.maximum(lengths, 1))
    starts = _best_starts(_costs(tops, up_to, batch_size), max_buckets)
    chosen = []
    end = len(tops)
    while end:
        chosen.append(int(tops[end - 1]))
        end = starts.pop()[end - 1]
    return tuple(reversed(chosen))


def _candidates(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The possible boundaries [n], and how many lengths each of them holds [n]."""
    tops = np.unique(lengths)
    if len(tops) > _MOST_CANDIDATES:
        ranks = np.linspace(0, len(tops) - 1, _MOST_CANDIDATES).astype(int)
        tops = tops[ranks]
    return tops, np.searchsorted(np.sort(lengths), tops, side="right")


def _costs(tops: np.ndarray, up_to: np.ndarray, batch_size: int) -> np.ndarray:
    """The steps [n, n] of one bucket from candidate i to candidate j, inf if i > j."""
    rows = up_to - np.concatenate([[0], up_to[:-1]])[:, None]
    steps = -(-rows // batch_size) * batch_size * tops
    return np.where(rows > 0, steps, np.inf)


def _best_starts(costs: np.ndarray, max_buckets: int) -> list[np.ndarray]:
    """Where the last bucket starts [n], if it ends at j; for 1, 2, ... buckets."""
    # least[j]: the steps of the candidates before j, in at most so many buckets.
    least = np.full(len(costs) + 1, np.inf)
    least[0] = 0
    starts = []
    for _ in range(min(max_buckets, len(costs))):
        totals = least[:-1, None] + costs
        starts.append(totals.argmin(axis=0))
        least[1:] = totals.min(axis=0)
    return starts
