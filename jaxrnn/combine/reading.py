"""What the recurrent products read of a state, apart from what passes them by."""

from collections.abc import Callable
from typing import Any

import jax
from jax.extend.core import Literal

from jaxrnn.cell import Cell
from jaxrnn.typing import Array, PyTree
from jaxrnn.unroll.taken_apart import Product, Step, take_apart


def recur_reading(
    cell: Cell,
    ready: PyTree,
    carry: PyTree,
    z: PyTree,
    change: Callable[[Array], Array],
) -> tuple[PyTree, PyTree]:
    """`cell.recur` whose products read `change(h)` where they would read the state h.

    For a GRU, with reset before the product, that is::

      z, r = s(A[change(h'), x])
      h = z * h' + (1 - z) * tanh(W x + U change(r * h') + b)

    Args:
      cell: any cell whose products with its weights read its hidden state: the state
        itself, or what is made of it without another product.
      ready: what its `prepare` returned.
      carry: the state before the step.
      z: what its `project` returned.
      change: of `[*batch, H]`, the shape of the hidden state.

    Returns:
      What `recur` returns: the carry and the output.

    Raises:
      ValueError: if no product reads the hidden state.
    """
    step, constants, tree = take_apart(cell.recur, ready, carry, z)
    leaves, carry_tree = jax.tree.flatten(carry)
    place: Any = cell.hidden(jax.tree.unflatten(carry_tree, range(len(leaves))))
    shape = leaves[place].shape
    readers = _readers(step, step.in_vars[place])
    if not readers:
        raise ValueError(f"no product with the weights of {cell} reads its state")

    def hook(product: Product, moving: Array, fixed: Array, addend: Any) -> Array:
        if product.out in readers:
            moving = change(moving.reshape(shape)).reshape(moving.shape)
        value = product.apply(moving, fixed)
        return value if addend is None else value + addend

    outs = step.replay(constants, [*leaves, *jax.tree.leaves(z)], hook)
    return jax.tree.unflatten(tree, outs)


def _readers(step: Step, state: Any) -> set[Any]:
    """The outputs of the products that read what is made of `state` alone."""
    reached, readers = {state}, set()
    for eqn in step.equations:
        if isinstance(eqn, Product):
            if eqn.moving in reached:
                readers.add(eqn.out)
        elif any(v in reached for v in eqn.invars if not isinstance(v, Literal)):
            reached.update(eqn.outvars)
    return readers
