"""One long text as a batch of streams, for truncated backpropagation through time."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxrnn.data.checks import check_integer, check_integers


class Window(NamedTuple):
    """Some steps of every stream.

    Attributes:
      inputs: symbols, int32 [T, B].
      targets: the symbol after each of them, int32 [T, B].
      mask: bool [T, B], True where input and target are of the text.

    Example:
      >>> Window(*np.zeros((3, 5, 2))).inputs.shape
      (5, 2)
    """

    inputs: np.ndarray
    targets: np.ndarray
    mask: np.ndarray


class Streams:
    """A text cut into B streams of equal length, read a window of T steps at a time.

    Stream b goes on in window i + 1 where it stopped in window i, so the carry that a
    model leaves one window with is what it starts the next one with. All windows have
    one shape. Every symbol but the first is a target exactly once: what the streams
    lack at their ends is padded with the text's first symbol, and masked.

    Args:
      ids: integers [N], at least 0 and of 31 bits.
      batch_size: the number of streams, B.
      window: the steps in a window, T.
      drop_last: shorten the streams to whole windows instead of padding them, which
        loses fewer than T * B symbols at the end of the text.

    Attributes:
      shape: the shape of every window, (T, B).
      steps: the length of a stream.

    Raises:
      TypeError: an argument is not made of integers.
      ValueError: an argument is out of range, or the text is shorter than one window
        of all streams with its targets, T * B + 1.

    Example:
      >>> from jaxrnn.data import Streams
      >>> streams = Streams(range(10), batch_size=2, window=3)
      >>> for inputs, targets, mask in streams:
      ...     print(inputs.T.tolist(), targets.T.tolist(), mask.sum(axis=0))
      [[0, 1, 2], [5, 6, 7]] [[1, 2, 3], [6, 7, 8]] [3 3]
      [[3, 4, 0], [8, 0, 0]] [[4, 5, 0], [9, 0, 0]] [2 1]
    """

    def __init__(
        self, ids: ArrayLike, *, batch_size: int, window: int, drop_last: bool = False
    ) -> None:
        check_integer("batch_size", batch_size, least=1)
        check_integer("window", window, least=1)
        self.ids = check_integers("ids", ids, below=2**31)
        needed = window * batch_size + 1
        if len(self.ids) < needed:
            raise ValueError(
                f"`ids` must hold at least window * batch_size + 1 = {needed} symbols,"
                f" got {len(self.ids)}"
            )
        self.shape = (window, batch_size)
        pairs = len(self.ids) - 1
        whole = pairs // (window * batch_size) * window
        self.steps = whole if drop_last else -(-pairs // batch_size)

    def __len__(self) -> int:
        return -(-self.steps // self.shape[0])

    def __iter__(self) -> Iterator[Window]:
        return (self.window(index) for index in range(len(self)))

    def window(self, index: int) -> Window:
        """Returns one window, so that a resumed run can go on anywhere.

        Args:
          index: its place in the epoch, in [0, len(self)).

        Returns:
          The window: inputs, targets and mask, each [T, B].

        Raises:
          TypeError: `index` is not an integer.
          ValueError: `index` is out of range.

        Example:
          >>> Streams(range(10), batch_size=2, window=3).window(1).inputs
          array([[3, 8],
                 [4, 0],
                 [0, 0]], dtype=int32)
        """
        check_integer("index", index, least=0)
        if index >= len(self):
            raise ValueError(f"`index` must be below {len(self)}, got {index}")
        window, batch_size = self.shape
        times = index * window + np.arange(window)[:, None]
        places = times + self.steps * np.arange(batch_size)
        mask = (times < self.steps) & (places < len(self.ids) - 1)
        places = np.where(mask, places, 0)
        inputs, targets = self.ids[places], self.ids[np.where(mask, places + 1, 0)]
        return Window(inputs.astype(np.int32), targets.astype(np.int32), mask)
