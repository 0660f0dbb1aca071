"""Steps of linear cells combined with each other before any of them is taken."""

import jax
import jax.numpy as jnp

from jaxrnn.linear import LinearCell
from jaxrnn.typing import Array, PyTree, Shape
from jaxrnn.unroll.masks import select


def combined(
    cell: LinearCell,
    elements: PyTree,
    flags: tuple[Array | None, Array | None],
    shape: Shape,
    *,
    reverse: bool,
) -> tuple[PyTree, Array | None]:
    """What the steps up to each one do together, since the last reset if there was one.

    A padded step is the identity. With resets, steps combine as pairs of an element and
    whether a segment has begun in it, so that nothing of the one before is looked at::

      (e, r) and then (f, q) = (f if q else combine(e, f), r or q)

    Args:
      cell: what combines them.
      elements: what each step does, `[T, ...]`.
      flags: which steps are real, and which begin a segment; None: all, none.
      shape: `(T, *batch)`.
      reverse: from the last step to the first.

    Returns:
      The elements `[T, ...]`, and `[T, *batch]`, True from a row's first reset on, or
      None.
    """
    mask, reset = flags
    leading = shape[:1] if reset is None else shape  # each row has its own resets
    whole = lambda a: jnp.broadcast_to(a, (*leading, *a.shape[len(leading) :]))
    elements = jax.tree.map(whole, elements)
    elements = select(mask, elements, cell.identity(elements))

    def combine(first: PyTree, second: PyTree) -> PyTree:
        (old, begun), (new, begins) = first, second
        both = cell.combine(old, new)
        if begins is None:
            return both, None
        return select(begins, new, both), begun | begins

    return jax.lax.associative_scan(combine, (elements, reset), reverse=reverse)
