"""All steps of a recurrence at once, as functions of the carries they began with.

Once the carries are known no step needs the one before it, so that gradients go back
over one step at all times at once.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxrnn.cell import Cell
from jaxrnn.gradflow.observe import Recurrence
from jaxrnn.gradflow.tapped import Tapped, moving, replaced
from jaxrnn.typing import Array, Key, PyTree
from jaxrnn.unroll.masks import spread

Leaves = list[Array]
Back = Callable[[Leaves, Leaves], tuple[Leaves, Leaves]]


def one_step(
    cell: Cell, ready: PyTree, carry: PyTree, x: PyTree, key: Key | None
) -> tuple[PyTree, PyTree]:
    """`(next carry, output)`."""
    return cell.recur(ready, carry, cell.project(ready, x, key=key))


def back_through(cell: Cell, note: Recurrence) -> Back:
    """What takes gradients back over one step, at all times at once.

    ::

      dW, dbefore = back(dafter, doutput)

    The gradients of what each step leaves behind and of what it puts out go in,
    `[T, *batch, ...]`, of floating leaves. Out come that of `note.ready`, summed over
    the steps, and that of what each step was handed: where no step was taken, as it
    went in, and 0 where a segment begins.
    """
    axes = (None, 0, 0, 0)

    def steps(ready: Leaves, before: Leaves) -> tuple[Leaves, Leaves]:
        def one(ready: PyTree, before: PyTree, x: PyTree, key: Key | None) -> tuple:
            after, y = one_step(cell, ready, before, x, key)
            return moving(after), moving(y)

        whole = replaced(note.ready, ready), replaced(note.before, before)
        return jax.vmap(one, axes)(*whole, note.xs, note.keys)

    _, pull = jax.vjp(steps, moving(note.ready), moving(note.before))

    def back(dafter: Leaves, doutput: Leaves) -> tuple[Leaves, Leaves]:
        dready, dbefore = pull((only(note.real, dafter), doutput))
        if note.real is not None:
            held = only(~note.real, dafter)
            dbefore = [a + b for a, b in zip(dbefore, held, strict=True)]
        return dready, only(None if note.begins is None else ~note.begins, dbefore)

    return back


def own_signals(cell: Cell, note: Recurrence, doutput: Leaves) -> Leaves:
    """What the loss's gradient of each step's output is of the state it was made of."""

    def outputs(taps: Leaves) -> Leaves:
        one = lambda before, x, key, taps: moving(
            one_step(Tapped(cell), note.ready, before, (x, taps), key)[1][0]
        )
        return jax.vmap(one)(note.before, note.xs, note.keys, taps)

    zeros = jax.tree.map(jnp.zeros_like, moving(note.before))
    (signals,) = jax.vjp(outputs, zeros)[1](doutput)
    return only(note.real, signals)


def only(flags: Array | None, leaves: Leaves) -> Leaves:
    """The leaves where the flags are True, 0 elsewhere; None: everywhere."""
    if flags is None:
        return leaves
    zero = lambda a: jnp.zeros((), a.dtype)
    return [jnp.where(spread(flags, a), a, zero(a)) for a in leaves]


def earlier(leaves: Leaves) -> Leaves:
    """What each step is handed, as what the step before it leaves behind."""
    return [jnp.concatenate([a[1:], jnp.zeros_like(a[:1])]) for a in leaves]
