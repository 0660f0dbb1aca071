"""Sequences, and what is to be answered to them."""

from typing import NamedTuple

import numpy as np


class Examples(NamedTuple):
    """Sequences of one length, and their targets.

    Attributes:
      xs: array [T, B, ...].
      targets: array [B, ...], one a sequence; or [T, B, ...], one a step.

    Example:
      >>> Examples(np.zeros((5, 2, 3)), np.zeros(2)).xs.shape
      (5, 2, 3)
    """

    xs: np.ndarray
    targets: np.ndarray
