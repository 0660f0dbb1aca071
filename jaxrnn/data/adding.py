"""The adding problem: two numbers far apart, and their sum at the end."""

import numpy as np

from jaxrnn.data.checks import check_integer
from jaxrnn.data.examples import Examples
from jaxrnn.data.seeds import Seed


def adding(steps: int, batch_size: int, *, seed: Seed = 0) -> Examples:
    """Returns sequences of numbers, two of them marked, and the sum of these two.

    ::

      x[t] = (number, mark),   number ~ U(0, 1)
      mark[t] = 1 at one t of the first half and at one of the second, 0 elsewhere
      target = number[first marked] + number[second marked]

    Who answers 1, the mean, is wrong by 1/6 = 0.167 in the square, the variance of two
    such numbers: the baseline of every network that does not remember.

    Args:
      steps: T, at least 2; the first half is its first T // 2 steps.
      batch_size: B.
      seed: the same seed gives the same sequences; a generator goes on.

    Returns:
      The sequences, float32 [T, B, 2], and the sums, float32 [B, 1].

    Raises:
      TypeError: a size is no integer.
      ValueError: a size is too small.

    References:
      Le, Jaitly, Hinton 2015, section 4.1; a mark in each half: Arjovsky, Shah, Bengio
      2016; first stated by Hochreiter, Schmidhuber 1997.

    Example:
      >>> xs, targets = adding(100, 3)
      >>> bool(np.allclose((xs[..., 0] * xs[..., 1]).sum(axis=0), targets[:, 0]))
      True
    """
    check_integer("steps", steps, least=2)
    check_integer("batch_size", batch_size, least=1)
    rng, half = np.random.default_rng(seed), steps // 2
    numbers = rng.random((steps, batch_size), np.float32)
    marks, rows = np.zeros_like(numbers), np.arange(batch_size)
    for first, end in ((0, half), (half, steps)):
        marks[rng.integers(first, end, batch_size), rows] = 1
    sums = (numbers * marks).sum(axis=0)
    return Examples(np.stack([numbers, marks], axis=-1), sums[:, None])
