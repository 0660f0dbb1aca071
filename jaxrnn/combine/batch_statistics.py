"""What the batch normalisation of a model normalises by."""

import dataclasses
import functools
from typing import Any

import jax

from jaxrnn.cell import Cell
from jaxrnn.combine.batch_norm import BatchNorm, Statistics
from jaxrnn.typing import Array, Key, PyTree, Shape
from jaxrnn.unroll.arrange import Arrays, arrange
from jaxrnn.unroll.origin import Origin
from jaxrnn.unroll.run import Run


def batch_statistics(
    cell: Cell,
    params: PyTree,
    xs: PyTree,
    carry: PyTree = None,
    *,
    key: Key,
    lengths: Array | None = None,
    mask: Array | None = None,
    context: PyTree = None,
    time_axis: int = 0,
) -> dict[str, Statistics]:
    """What each `BatchNorm` of a model normalises by, in a training run over a batch.

    For evaluation, average them over some batches, during training or after it::

      averages = tree.map(lambda a, s: 0.9 * a + 0.1 * s, averages, statistics)

    Args:
      cell: the model.
      params: of the model.
      xs, carry, lengths, mask, context, time_axis: as for `unroll`.
      key: randomness of the run.

    Returns:
      `mean` and `variance` of each feature, by the name of the layer.

    Raises:
      ValueError: if two layers have the same name, or as `unroll` does.

    Example:
      >>> import jax.numpy as jnp, jaxrnn as jr
      >>> xs = jnp.array([[1.0], [3.0], [8.0]])  # [T, n]
      >>> params = jr.BatchNorm().init(jax.random.key(0), 1)
      >>> options = {"key": jax.random.key(1), "mask": jnp.array([True, True, False])}
      >>> jr.batch_statistics(jr.BatchNorm(), params, xs, **options)
      {'batch_norm': {'mean': Array([2.], ...), 'variance': Array([1.], ...)}}
    """
    sequence = arrange(cell, xs, lengths=lengths, mask=mask, time_axis=time_axis)
    origin = Origin(params, carry, key, 0, context)
    return _statistics((cell, sequence.batch_shape), origin, sequence.arrays)


@functools.partial(jax.jit, static_argnums=0)
def _statistics(options: tuple[Cell, Shape], origin: Origin, arrays: Arrays) -> Any:
    cell, batch_shape = options
    seen: dict[str, Statistics] = {}
    run = _Watching(batch_shape, seen=seen)
    ready, carry = origin.begin(cell, arrays.xs, batch_shape)
    run.with_arrays(arrays, origin.key, origin.start)(cell, ready, carry, arrays.xs)
    return seen


@dataclasses.dataclass(frozen=True)
class _Watching(Run):
    """A run that keeps what each `BatchNorm` in it normalises by."""

    seen: dict[str, Statistics] = dataclasses.field(default_factory=dict)

    def __call__(
        self, cell: Cell, ready: PyTree, carry: PyTree, xs: PyTree, **options: Any
    ) -> tuple[PyTree, PyTree]:
        if isinstance(cell, BatchNorm):
            if cell.name in self.seen:
                raise ValueError(
                    f"two layers are called {cell.name!r}: give each `BatchNorm` a "
                    "`name` of its own"
                )
            self.seen[cell.name] = cell.statistics(ready, xs, self.mask)
        return super().__call__(cell, ready, carry, xs, **options)
