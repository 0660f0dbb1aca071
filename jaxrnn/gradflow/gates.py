"""Which numbers of a step are gates, and how many of them are shut or wide open."""

from collections import OrderedDict
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.extend import core

from jaxrnn.cell import Cell
from jaxrnn.gradflow.factors import factors
from jaxrnn.gradflow.observe import Place, Recurrence
from jaxrnn.gradflow.steps import one_step
from jaxrnn.gradflow.tapped import moving
from jaxrnn.typing import Array
from jaxrnn.unroll.masks import spread
from jaxrnn.unroll.taken_apart import dissolved

_NAMES = {"i": "input", "f": "forget", "o": "output", "z": "update", "r": "reset"}


class Saturation(NamedTuple):
    """How many of a gate's activations, over real steps, rows and units, are extreme.

    Attributes:
      closed: the share of those below the lower threshold.
      open: the share of those above the upper one.
    """

    closed: Array
    open: Array


def saturation(
    place: Place, note: Recurrence, *, low: float, high: float
) -> dict[str, Saturation]:
    """The gates of a recurrence by name, in the order in which they arise in a step.

    Args:
      place: which recurrence.
      note: what it did.
      low: a gate is closed below it.
      high: a gate is open above it.
    """
    given = (note.before, note.xs, note.keys)
    first = jax.tree.map(lambda a: a[0], given)
    step = dissolved(lambda ready, *now: one_step(place.cell, ready, *now))
    closed = jax.make_jaxpr(step)(note.ready, *first)
    fixed = len(jax.tree.leaves(note.ready))
    batch = moving(note.before)[0].shape[1 : place.leading]
    found = [v for v in factors(closed, fixed) if v.aval.shape[: len(batch)] == batch]
    jaxpr = closed.jaxpr.replace(outvars=found)
    look = core.jaxpr_as_fun(closed.replace(jaxpr=jaxpr))
    values = jax.vmap(lambda now: look(*jax.tree.leaves((note.ready, *now))))(given)
    share = lambda flags: _mean(flags, note.real)
    return OrderedDict(
        (name, Saturation(share(value < low), share(value > high)))
        for name, value in zip(_names(place.cell, len(found)), values, strict=True)
    )


def _mean(flags: Array, real: Array | None) -> Array:
    """The share that is True, of all units at real steps; 0 if none is real."""
    if real is None:
        return jnp.mean(flags, dtype=jnp.float32)
    weights = jnp.broadcast_to(spread(real, flags), flags.shape)
    count = jnp.maximum(jnp.sum(weights, dtype=jnp.float32), 1)
    return jnp.sum(flags & weights, dtype=jnp.float32) / count


def _names(cell: Cell, count: int) -> list[str]:
    """By the letters that the cell, or the one inside it, gives its gates."""
    letters = next((c.gates for c in (cell, *cell.parts()) if hasattr(c, "gates")), "")
    names = [_NAMES[letter] for letter in letters if letter in _NAMES]
    if len(names) == count:
        return names
    return [f"gate {number}" for number in range(1, count + 1)]
