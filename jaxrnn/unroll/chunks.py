"""Time in chunks, so that backpropagation keeps one carry a chunk, not one a step."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.typing import PyTree


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


def scan_chunks(
    chunk: Callable[[PyTree, PyTree], tuple[PyTree, PyTree]],
    carry: PyTree,
    inputs: PyTree,
    size: int,
    *,
    reverse: bool = False,
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

    Returns:
      The last carry, and the outputs of all steps `[T, ...]`.
    """
    steps = jax.tree.leaves(inputs)[0].shape[0]
    count, left = divmod(steps, size)
    whole = steps - left
    cut = lambda a: a[:whole].reshape(count, size, *a.shape[1:])
    join = lambda a: a.reshape(count * size, *a.shape[2:])
    inner = jax.checkpoint(chunk, prevent_cse=False)  # a scan's body is safe from CSE

    def main(carry: PyTree) -> tuple[PyTree, PyTree]:
        carry, outs = jax.lax.scan(
            inner, carry, jax.tree.map(cut, inputs), reverse=reverse
        )
        return carry, jax.tree.map(join, outs)

    if left == 0:
        return main(carry)
    rest = jax.tree.map(lambda a: a[whole:], inputs)
    tail = lambda carry: jax.checkpoint(chunk)(carry, rest)
    if reverse:
        carry, tail_outs = tail(carry)
        carry, outs = main(carry)
    else:
        carry, outs = main(carry)
        carry, tail_outs = tail(carry)
    return carry, jax.tree.map(lambda a, b: jnp.concatenate([a, b]), outs, tail_outs)
