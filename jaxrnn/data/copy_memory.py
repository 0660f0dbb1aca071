"""The copy memory problem: some symbols, a long nothing, and the symbols again."""

import math

import numpy as np

from jaxrnn.data.checks import check_integer
from jaxrnn.data.examples import Examples
from jaxrnn.data.seeds import Seed


def copy_memory(
    steps: int,
    batch_size: int,
    *,
    symbols: int = 8,
    length: int = 10,
    seed: Seed = 0,
) -> Examples:
    """Returns sequences that begin with symbols to be said again at their end.

    ::

      xs      = s_1 ... s_length   blank * (T - 1)   go   blank * length
      targets = blank * (T + length)                      s_1 ... s_length
      s_i uniform in 0 ... symbols - 1;   blank = symbols;   go = symbols + 1

    Args:
      steps: T, at least 1: from the last symbol to "go".
      batch_size: B.
      symbols: how many there are to choose from.
      length: how many are to be remembered.
      seed: the same seed gives the same sequences; a generator goes on.

    Returns:
      The sequences and the targets, both int32 [T + 2 * length, B]. Inputs lie in
      [0, symbols + 2), targets in [0, symbols + 1), for nobody has to say "go".

    Raises:
      TypeError: a size is no integer.
      ValueError: a size is too small.

    References:
      Arjovsky, Shah, Bengio 2016, section 4.1; first stated by Hochreiter, Schmidhuber
      1997.

    Example:
      >>> xs, targets = copy_memory(4, 1, length=3)
      >>> xs[:, 0].tolist()
      [6, 5, 4, 8, 8, 8, 9, 8, 8, 8]
      >>> targets[:, 0].tolist()
      [8, 8, 8, 8, 8, 8, 8, 6, 5, 4]
    """
    sizes = {"steps": steps, "batch_size": batch_size}
    for name, size in (sizes | {"symbols": symbols, "length": length}).items():
        check_integer(name, size, least=1)
    blank, go = symbols, symbols + 1
    said = np.random.default_rng(seed).integers(symbols, size=(length, batch_size))
    xs = np.full((steps + 2 * length, batch_size), blank, np.int32)
    targets = xs.copy()
    xs[:length] = targets[-length:] = said
    xs[length + steps - 1] = go
    return Examples(xs, targets)


def copy_baseline(steps: int, *, symbols: int = 8, length: int = 10) -> float:
    """Returns the mean cross-entropy, in nats, of who knows all but the symbols.

    ::

      length ln(symbols) / (T + 2 length)

    Blanks are sure then, and of the symbols each is as likely as the others.

    Args:
      steps: T, at least 1.
      symbols: as in `copy_memory`.
      length: as in `copy_memory`.

    References:
      Arjovsky, Shah, Bengio 2016, section 4.1: 10 ln 8 / (T + 20).

    Example:
      >>> round(copy_baseline(100), 4)
      0.1733
    """
    return length * math.log(symbols) / (steps + 2 * length)
