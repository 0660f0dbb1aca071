"""The temporal order problem: which of two symbols came first, and which then."""

import numpy as np

from jaxrnn.data.checks import check_integer
from jaxrnn.data.examples import Examples
from jaxrnn.data.seeds import Seed

_KINDS, _OTHERS = 2, 4


def temporal_order(steps: int, batch_size: int, *, seed: Seed = 0) -> Examples:
    """Returns sequences with two symbols that count, and the order of these.

    ::

      x[t] = c, d, e or f, uniformly           as 2, 3, 4, 5
      but A or B, uniformly                    as 0, 1
        at one t of T/10 ... 2T/10 - 1 and one of 5T/10 ... 6T/10 - 1
      target = AA, AB, BA or BB                as 0, 1, 2, 3

    Who guesses is right in a quarter of all sequences, at a cross-entropy of ln 4.

    Args:
      steps: T, at least 10.
      batch_size: B.
      seed: the same seed gives the same sequences; a generator goes on.

    Returns:
      The sequences, int32 [T, B], and their classes, int32 [B].

    Raises:
      TypeError: a size is no integer.
      ValueError: a size is too small.

    References:
      Pascanu, Mikolov, Bengio 2013, section 4.1, with the places of its authors' code;
      Hochreiter, Schmidhuber 1997, experiment 6a, where a sequence has a first and a
      last symbol of its own, and lengths vary.

    Example:
      >>> xs, targets = temporal_order(20, 1)
      >>> xs[:, 0].tolist(), targets.tolist()
      ([5, 4, 4, 0, 3, 2, 2, 2, 2, 5, 1, 5, 4, 4, 5, 4, 4, 4, 4, 5], [1])
    """
    check_integer("steps", steps, least=10)
    check_integer("batch_size", batch_size, least=1)
    rng, rows = np.random.default_rng(seed), np.arange(batch_size)
    xs = rng.integers(_KINDS, _KINDS + _OTHERS, (steps, batch_size), np.int32)
    targets = np.zeros(batch_size, np.int32)
    for tenth in (1, 5):
        first, end = tenth * steps // 10, (tenth + 1) * steps // 10
        kinds = rng.integers(_KINDS, size=batch_size, dtype=np.int32)
        xs[rng.integers(first, end, batch_size), rows] = kinds
        targets = _KINDS * targets + kinds
    return Examples(xs, targets)
