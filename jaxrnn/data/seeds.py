"""What random sequences are drawn from."""

from collections.abc import Sequence

import numpy as np

Seed = int | Sequence[int] | np.random.Generator
"""What `numpy.random.default_rng` takes."""
