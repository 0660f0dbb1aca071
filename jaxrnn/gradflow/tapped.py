"""A cell whose state is touched after every step, to see what comes of it."""

from collections.abc import Sequence
from typing import Any

import jax
from jax.extend import core

from jaxrnn.cell import Cell
from jaxrnn.typing import Array, Key, PyTree, Shape
from jaxrnn.unroll.taken_apart import dissolved, evaluate, is_differentiable


class Tapped(Cell):
    """A cell that adds a tap to its carry, and computes its output from the sum.

    ::

      c_t = carry of cell(x_t, c_{t-1}) + tap_t
      y_t = output of cell(x_t, c_{t-1}), with c_t in it

    With taps of zero it is the cell itself. dL/dtap_t is then dL/dc_t: what the state
    does to its own output, and to all steps after it. The leaves of a carry move apart
    from each other, as the entries of a vector do: an LSTM's c does not take h along.

    An input is `(x, taps)`, with one tap for each leaf that `moving` lists; an output
    `(y, c_{t-1})`, or where a segment starts what it starts from. What is `ready` is
    the cell's own.

    Args:
      cell: a cell that can step.
    """

    cell: Cell

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> PyTree:
        return self.cell.initial_carry(ready, batch_shape)

    def project(self, ready: PyTree, x: PyTree, *, key: Key | None = None) -> PyTree:
        x, taps = x
        return self.cell.project(ready, x, key=key), taps

    def recur(self, ready: PyTree, carry: PyTree, z: PyTree) -> tuple[PyTree, PyTree]:
        z, taps = z
        step = jax.make_jaxpr(dissolved(self.cell.recur), return_shape=True)
        closed, (after, y) = step(ready, carry, z)
        jaxpr, count = closed.jaxpr, len(jax.tree.leaves(after))
        given = [*closed.consts, *jax.tree.leaves((ready, carry, z))]
        values = dict(zip([*jaxpr.constvars, *jaxpr.invars], given, strict=True))
        state = jaxpr.outvars[:count]
        leaves = _evaluated(jaxpr.eqns, state, values)
        plain = jax.tree.unflatten(jax.tree.structure(after), leaves)
        sums = [a + tap for a, tap in zip(moving(plain), taps, strict=True)]
        following = replaced(plain, sums)
        values |= {
            var: leaf
            for var, leaf in zip(state, jax.tree.leaves(following), strict=True)
            if not isinstance(var, core.Literal)
        }
        ys = _evaluated(jaxpr.eqns, jaxpr.outvars[count:], values)
        return following, (jax.tree.unflatten(jax.tree.structure(y), ys), carry)

    def cast_output(self, y: PyTree) -> PyTree:
        y, before = y
        return self.cell.cast_output(y), before


def moving(carry: PyTree) -> list[Array]:
    """The leaves of a carry that have derivatives; counts and ids have none."""
    return [leaf for leaf in jax.tree.leaves(carry) if is_differentiable(leaf)]


def replaced(carry: PyTree, leaves: Sequence[Array]) -> PyTree:
    """The carry with `leaves` in place of those that `moving` lists."""
    rest = iter(leaves)
    return jax.tree.map(lambda a: next(rest) if is_differentiable(a) else a, carry)


def _evaluated(
    equations: Sequence[Any], wanted: Sequence[Any], values: dict[Any, Any]
) -> list[Any]:
    """The values of the wanted variables, by no more equations than that takes."""
    is_open = lambda v: not isinstance(v, core.Literal) and v not in values
    missing, needed = set(filter(is_open, wanted)), []
    for eqn in reversed(equations):
        if missing.intersection(eqn.outvars):
            needed.append(eqn)
            missing.update(filter(is_open, eqn.invars))
    values = dict(values)
    read = lambda v: v.val if isinstance(v, core.Literal) else values[v]
    for eqn in reversed(needed):
        outs = evaluate(eqn, [read(v) for v in eqn.invars])
        for var, out in zip(eqn.outvars, outs, strict=True):
            values.setdefault(var, out)
    return [read(v) for v in wanted]
