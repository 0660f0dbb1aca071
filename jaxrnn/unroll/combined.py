"""Steps of linear cells combined with each other before any of them is taken."""

import jax
import jax.numpy as jnp

from jaxrnn.linear import LinearCell
from jaxrnn.typing import Array, PyTree
from jaxrnn.unroll.masks import select


def carries_of(
    cell: LinearCell,
    elements: PyTree,
    befores: tuple[PyTree, PyTree],
    flags: tuple[Array | None, Array | None],
    *,
    reverse: bool,
) -> PyTree:
    """The carry after every step.

    A padded step is the identity. With resets, steps combine as pairs of an element and
    whether a segment has begun in it, so that nothing of the one before is looked at::

      (e, r) and then (f, q) = (f if q else combine(e, f), r or q)

    Args:
      cell: what combines them.
      elements: what each step does, `[T, ...]`.
      befores: at every step, `[T, *batch, ...]`, the carry before the first one, and
        the one that resets put in its place.
      flags: `[T, *batch]`, which steps are real, and which begin a segment; None: all,
        none.
      reverse: from the last step to the first.
    """
    (carry, start), (mask, reset) = befores, flags
    # Each row has its own resets, so no row can share what its steps do.
    leading = jax.tree.leaves(carry)[0].shape[:1] if reset is None else reset.shape
    whole = lambda a: jnp.broadcast_to(a, (*leading, *a.shape[len(leading) :]))
    elements = jax.tree.map(whole, elements)
    elements = select(mask, elements, cell.identity(elements))

    def combine(first: PyTree, second: PyTree) -> PyTree:
        (old, begun), (new, begins) = first, second
        both = cell.combine(old, new)
        if begins is None:
            return both, None
        return select(begins, new, both), begun | begins

    pairs = (elements, reset)
    elements, begun = jax.lax.associative_scan(combine, pairs, reverse=reverse)
    return cell.apply(carry if begun is None else select(begun, start, carry), elements)
