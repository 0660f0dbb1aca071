"""Leaves of carries that hold more than an array on their way through containers.

They are no pytrees, so a container puts them into its own carry, or takes them out of
it, as it would an array, and need not know of them.
"""

import jax

from jaxrnn.typing import Array, PyTree


class Recorded:
    """On the way out: a leaf's last value, and its value after every step."""

    def __init__(self, last: Array, history: Array) -> None:
        self.last, self.history = last, history


class Restarting:
    """On the way in: a leaf's value, and the one that resets put in its place."""

    def __init__(self, value: Array, start: Array) -> None:
        self.value, self.start = value, start


def last_of(carry: PyTree) -> PyTree:
    """The carry after the last step, of a run that recorded or did not."""
    return jax.tree.map(lambda a: a.last if isinstance(a, Recorded) else a, carry)


def history_of(carry: PyTree) -> PyTree:
    """The carry after every step, stacked, of a run that recorded."""
    return jax.tree.map(lambda a: a.history, carry)


def restarting(carry: PyTree, start: PyTree | None) -> PyTree:
    """The carry, going back to `start` at resets, unless it knows of another start."""
    if start is None:
        return carry
    known = lambda a: isinstance(a, Restarting)
    return jax.tree.map(lambda a, s: a if known(a) else Restarting(a, s), carry, start)


def without_start(carry: PyTree) -> tuple[PyTree, PyTree | None]:
    """The carry as arrays, and what resets put in its place, if it knows."""
    leaves, tree = jax.tree.flatten(carry)
    if not any(isinstance(a, Restarting) for a in leaves):
        return carry, None
    values = jax.tree.unflatten(tree, [a.value for a in leaves])
    return values, jax.tree.unflatten(tree, [a.start for a in leaves])
