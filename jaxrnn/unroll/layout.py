"""Where a loop's input products are formed, and how its arrays lie: what is fastest."""

import enum

import jax

from jaxrnn.typing import PyTree, Shape
from jaxrnn.unroll.chunks import byte_size

# Fewer rows than a vector of the processor holds would leave it idle as columns.
_FEW_ROWS = 8
# About half of a CPU's third-level cache.
_CACHE_BYTES = 16 * 2**20


class Layout(enum.Enum):
    """How a cell is run through time; the numbers are the same.

    Attributes:
      AHEAD: the inputs of all steps are projected before the loop, in one product. A
        step then reads one matrix instead of two, and an accelerator launches fewer
        kernels.
      COLUMNS: each step projects its own input, and inside the loop each row of the
        batch is a column (`columns.py`). What is projected never goes to memory, and
        the processor need not pack the matrices at every step.
    """

    AHEAD = enum.auto()
    COLUMNS = enum.auto()


def fastest(batch_shape: Shape, zs: PyTree) -> Layout:
    """What measured fastest on the backend at hand.

    On a CPU, LSTMs of 64 to 256 with up to 32 rows were faster with their inputs
    projected ahead as long as the result stayed in the cache; once it did not, columns
    took 0.8 times as long, forwards and backwards.

    Args:
      batch_shape: the axes between time and one row's input.
      zs: the shapes of the projected inputs of all steps.

    Example:
      >>> import jax.numpy as jnp
      >>> zs = jax.ShapeDtypeStruct((100, 32, 2048), jnp.float32)  # 25 MiB
      >>> fastest((32,), zs).name, fastest((4, 8), zs).name
      ('COLUMNS', 'AHEAD')
    """
    size = byte_size(zs)
    symbolic = not isinstance(size, int)  # of `jax.export`: nothing can be compared
    if symbolic or len(batch_shape) != 1 or jax.default_backend() != "cpu":
        return Layout.AHEAD
    few = batch_shape[0] < _FEW_ROWS
    return Layout.AHEAD if few or size <= _CACHE_BYTES else Layout.COLUMNS
