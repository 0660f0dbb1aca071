"""Time in chunks, so that backpropagation keeps one carry a chunk, not one a step."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.typing import PyTree

# Small enough for the second- and third-level caches of a CPU, together with what the
# backward pass makes of it.
_TILE_BYTES = 4 * 2**20
# A tile adds to each weight's gradient once: with fewer rows in its product, passing
# over the gradient would cost as much as the product.
_TILE_ROWS = 1024


def chunk_size(checkpoint: int | str | None, steps: int) -> int | None:
    """Steps in a chunk: `checkpoint` itself, or the root of `steps` for "sqrt".

    With k steps in a chunk, T/k carries and the inside of one chunk are kept: least at
    k = sqrt(T) (Gruslys et al. 2016; Chen et al. 2016).

    Example:
      >>> chunk_size("sqrt", 1000), chunk_size(50, 1000), chunk_size(None, 1000)
      (32, 50, None)
    """
    if checkpoint is None or steps == 0:
        return None
    if checkpoint == "sqrt":
        return math.ceil(math.sqrt(steps))
    if isinstance(checkpoint, str):
        raise ValueError(
            f"`checkpoint` must be a number of steps or 'sqrt', got {checkpoint!r}"
        )
    checks.positive(checkpoint=checkpoint)
    return min(checkpoint, steps)


def tile_size(zs: PyTree, rows: int, *, limit: int | None = None) -> int | None:
    """Steps whose projected inputs fit the cache together; None: all of them do.

    A sequence's projections, and in the backward pass their gradients, need not exist
    all at once. Tile by tile they stay in the cache, on a CPU the memory for them is
    the same over and over, and a tile's weight gradients are still one product.

    Args:
      zs: the shapes of the projections of all steps, `[T, ...]`.
      rows: B, of the batch.
      limit: bytes in a tile, where 1024 rows of all its steps are no more; None: what
        measured best on the backend at hand. Where sizes are symbols of
        `jax.export`, all steps are one tile.

    Example:
      >>> zs = jax.ShapeDtypeStruct((100, 64, 1024), jnp.float32)  # 256 kiB a step
      >>> tile_size(zs, 64, limit=5 * 2**20)
      20
    """
    if limit is None:
        if jax.default_backend() != "cpu":
            return None
        limit = _TILE_BYTES
    leaves = jax.tree.leaves(zs)
    steps = leaves[0].shape[0] if leaves else 0
    size = byte_size(zs)
    if not isinstance(size, int) or size <= 2 * limit:
        return None  # two tiles cost more than they save
    most = max(1, limit * steps // size, _TILE_ROWS // max(1, rows))
    if most >= steps:
        return None
    # A divisor of T leaves no shorter tile to compile apart.
    even = [k for k in range(most // 2 + 1, most + 1) if steps % k == 0]
    return even[-1] if even else most


def byte_size(tree: PyTree) -> int:
    """The bytes of arrays, or of what has their shapes.

    Example:
      >>> byte_size([jnp.zeros((2, 3), jnp.float32), jnp.zeros(1, jnp.int32)])
      28
    """
    return sum(math.prod(a.shape) * a.dtype.itemsize for a in jax.tree.leaves(tree))


def scan_chunks(
    chunk: Callable[[PyTree, PyTree], tuple[PyTree, PyTree]],
    carry: PyTree,
    inputs: PyTree,
    size: int,
    *,
    reverse: bool = False,
    recompute: bool = True,
) -> tuple[PyTree, PyTree]:
    """Run `chunk` over inputs `[T, ...]`, `size` steps at a time, in order.

    ::

      for part in chunks(inputs):
          carry, out = chunk(carry, part)  # computed again in the backward pass

    The last chunk holds what is left over, T mod `size` steps.

    Args:
      chunk: `(carry, inputs of some steps) -> (carry, outputs of those steps)`.
      carry: the first state.
      inputs: a tree of arrays `[T, ...]`.
      size: steps in a chunk.
      reverse: from the last chunk to the first.
      recompute: the backward pass keeps nothing of a chunk but its first carry, and
        computes the rest again.

    Returns:
      The last carry, and the outputs of all steps `[T, ...]`.
    """
    steps = jax.tree.leaves(inputs)[0].shape[0]
    count, left = divmod(steps, size)
    whole = steps - left
    cut = lambda a: a[:whole].reshape(count, size, *a.shape[1:])
    join = lambda a: a.reshape(count * size, *a.shape[2:])
    again = jax.checkpoint if recompute else lambda chunk, **_: chunk
    inner = again(chunk, prevent_cse=False)  # a scan's body is safe from CSE

    def main(carry: PyTree) -> tuple[PyTree, PyTree]:
        carry, outs = jax.lax.scan(
            inner, carry, jax.tree.map(cut, inputs), reverse=reverse
        )
        return carry, jax.tree.map(join, outs)

    if left == 0:
        return main(carry)
    rest = jax.tree.map(lambda a: a[whole:], inputs)
    tail = lambda carry: again(chunk)(carry, rest)
    if reverse:
        carry, tail_outs = tail(carry)
        carry, outs = main(carry)
    else:
        carry, outs = main(carry)
        carry, tail_outs = tail(carry)
    return carry, jax.tree.map(lambda a, b: jnp.concatenate([a, b]), outs, tail_outs)
