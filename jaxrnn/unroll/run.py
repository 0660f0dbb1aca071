"""The engine: what a cell's `over` is handed to run the cells inside it."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cell import Cell
from jaxrnn.linear import LinearCell
from jaxrnn.typing import Array, Key, PyTree, Shape
from jaxrnn.unroll import deferred
from jaxrnn.unroll.arrange import Arrays
from jaxrnn.unroll.chunks import scan_chunks, tile_size
from jaxrnn.unroll.combined import carries_of
from jaxrnn.unroll.contract import check_projection, check_step
from jaxrnn.unroll.layout import Layout, fastest
from jaxrnn.unroll.leaves import (
    Recorded,
    history_of,
    last_of,
    restarting,
    without_start,
)
from jaxrnn.unroll.masks import select, zero_padding
from jaxrnn.unroll.method import combines

Part = Callable[["Run", PyTree, PyTree], tuple[PyTree, PyTree]]


@dataclasses.dataclass(frozen=True)
class Run:
    """Runs a cell through time: `run(cell, ready, carry, xs) -> (carry, ys)`.

    It holds what is the same for every cell of a model, and names none of them.

    Attributes:
      batch_shape: the axes between time and one row's input.
      mask: `[T, *batch]`, True at real steps; None: all are.
      reset: `[T, *batch]`, True where a segment starts, in input order.
      ends: `[T, *batch]`, True where one ends: what `reset` means going backwards.
      keys: `[T]`, one key a step; None: evaluation.
      backwards: from the last step to the first.
      checkpoint: steps in a chunk; None: the whole sequence is one.
      method: how linear cells run: "auto", "scan" or "associative".
      recording: carries come out as `Recorded` leaves.
    """

    batch_shape: Shape
    mask: Array | None = None
    reset: Array | None = None
    ends: Array | None = None
    keys: Key | None = None
    backwards: bool = False
    checkpoint: int | None = None
    method: str = "auto"
    recording: bool = False

    @property
    def reversed(self) -> "Run":
        """The same run in the other direction."""
        return dataclasses.replace(self, backwards=not self.backwards)

    def __call__(
        self,
        cell: Cell,
        ready: PyTree,
        carry: PyTree,
        xs: PyTree,
        *,
        place: int | None = None,
    ) -> tuple[PyTree, PyTree]:
        """Run `cell`; padding goes in as zeros and comes out as zeros.

        Args:
          cell: any cell.
          ready: what its `prepare` returned.
          carry: the state before its first step. Its leaves may say what resets put in
            their place (`leaves.restarting`); else it is the cell's initial carry.
          xs: its inputs, time first.
          place: which of several cells this is, so that each draws its own numbers.
        """
        run = self if place is None else self._at(place)
        if run.checkpoint is not None and cell.causal:
            plain = dataclasses.replace(run, checkpoint=None)
            carry, start = without_start(carry)
            part = lambda run, carry, xs: run(cell, ready, restarting(carry, start), xs)
            return plain._in_parts(part, run.checkpoint, carry, xs, recompute=True)
        xs = zero_padding(run.mask, xs)
        carry, ys = cell.over(ready, carry, xs, run)
        return carry, zero_padding(run.mask, cell.cast_output(ys))

    def project(self, cell: Cell, ready: PyTree, xs: PyTree) -> PyTree:
        """`cell.project` of all steps at once, each with its own key."""
        keyed = lambda x, key: cell.project(ready, x, key=key)
        if self.keys is None:
            return cell.project(ready, xs)
        if _reads(keyed, xs, self.keys):
            return jax.vmap(keyed)(xs, self.keys)
        return keyed(xs, self.keys[0])  # it draws nothing: one product for all steps

    def linear(
        self, cell: LinearCell, ready: PyTree, carry: PyTree, xs: PyTree
    ) -> tuple[PyTree, PyTree]:
        """A linear cell by the method of the run."""
        steps = jax.tree.leaves(xs)[0].shape[0]
        way = self.associative if combines(self.method, steps) else self.scan
        return way(cell, ready, carry, xs)

    def associative(
        self, cell: LinearCell, ready: PyTree, carry: PyTree, xs: PyTree
    ) -> tuple[PyTree, PyTree]:
        """Its steps combined, in log2(T) rounds; they must be two or more."""
        zs = self.project(cell, ready, xs)
        steps = jax.tree.leaves(xs)[0].shape[0]
        check_projection(cell, steps, self.batch_shape, zs)
        carry, start = without_start(carry)
        one_step = lambda: cell.recur(ready, carry, jax.tree.map(lambda a: a[0], zs))
        check_step(cell, carry, jax.eval_shape(one_step), self.batch_shape)
        if start is None:
            start = cell.initial_carry(ready, self.batch_shape)
        always = lambda a: jnp.broadcast_to(a, (steps, *a.shape))
        carries = carries_of(
            cell,
            cell.elements(ready, zs),
            jax.tree.map(always, (carry, start)),
            self.step_flags,
            reverse=self.backwards,
        )
        last = jax.tree.map(lambda a: a[0 if self.backwards else -1], carries)
        return self._recorded(last, carries), cell.readout(ready, carries, zs)

    def scan(
        self, cell: Cell, ready: PyTree, carry: PyTree, xs: PyTree
    ) -> tuple[PyTree, PyTree]:
        """`cell.recur` step by step; padding holds the carry, a reset replaces it."""
        zs = jax.eval_shape(lambda: self.project(cell, ready, xs))
        steps = jax.tree.leaves(xs)[0].shape[0]
        check_projection(cell, steps, self.batch_shape, zs)
        carry, start = without_start(carry)
        layout = fastest(self.batch_shape, zs)
        tile = self._tile(cell, (ready, start), carry, xs, layout)
        size = tile_size(zs, math.prod(self.batch_shape))
        if size is None:
            return tile(self, carry, xs)
        return self._in_parts(tile, size, carry, xs, recompute=False)

    def _tile(
        self,
        cell: Cell,
        fixed: tuple[PyTree, PyTree],
        carry: PyTree,
        xs: PyTree,
        layout: Layout,
    ) -> Part:
        """What runs the cell over any stretch of time, step by step."""

        def front(fixed: PyTree, inputs: Any) -> Any:
            x, key, flags = inputs
            return cell.project(fixed[0], x, key=key), flags

        def step(fixed: PyTree, carry: PyTree, inputs: Any) -> tuple[PyTree, PyTree]:
            (ready, start), (z, (mask, reset)) = fixed, inputs
            if reset is not None:
                if start is None:
                    start = cell.initial_carry(ready, self.batch_shape)
                carry = select(reset, start, carry)
            result = cell.recur(ready, carry, z)
            following, y = check_step(cell, carry, result, self.batch_shape)
            following = select(mask, following, carry)
            return following, (y, following if self.recording else None)

        make: Callable[..., deferred.Loop] = functools.partial(deferred.row_loop, step)
        if layout is Layout.COLUMNS:
            make = functools.partial(deferred.column_loop, front, step)

        def inputs(run: Run, xs: PyTree) -> PyTree:
            if layout is Layout.COLUMNS:
                return xs, run.keys, run.step_flags
            return run.project(cell, fixed[0], xs), run.step_flags

        shapes = jax.eval_shape(lambda: inputs(self, xs))
        loop = make(fixed, carry, shapes, reverse=self.backwards)

        def tile(run: Run, carry: PyTree, xs: PyTree) -> tuple[PyTree, PyTree]:
            last, (ys, history) = loop(carry, inputs(run, xs))
            return self._recorded(last, history), ys

        return tile

    def _in_parts(
        self, part: Part, size: int, carry: PyTree, xs: PyTree, *, recompute: bool
    ) -> tuple[PyTree, PyTree]:
        """`part(run, carry, xs)` of `size` steps after `size` steps."""

        def chunk(carry: PyTree, inputs: Any) -> tuple[PyTree, PyTree]:
            xs, flags = inputs
            carry, ys = part(self.over(flags), carry, xs)
            return last_of(carry), (ys, history_of(carry) if self.recording else None)

        last, (ys, history) = scan_chunks(
            chunk,
            carry,
            (xs, self.flags),
            size,
            reverse=self.backwards,
            recompute=recompute,
        )
        return self._recorded(last, history), ys

    def _recorded(self, last: PyTree, history: PyTree) -> PyTree:
        return jax.tree.map(Recorded, last, history) if self.recording else last

    @property
    def step_flags(self) -> tuple[Array | None, Array | None]:
        """What a step is told: whether it is real, and whether a segment starts."""
        return self.mask, self.ends if self.backwards else self.reset

    @property
    def flags(self) -> tuple[Array | None, ...]:
        """What the run knows of every step, time first."""
        return self.mask, self.reset, self.ends, self.keys

    def over(self, flags: tuple[Array | None, ...]) -> "Run":
        """This run over other steps, with their `flags`."""
        mask, reset, ends, keys = flags
        return dataclasses.replace(self, mask=mask, reset=reset, ends=ends, keys=keys)

    def with_arrays(self, arrays: Arrays, key: Key | None, start: int | Array) -> "Run":
        """This run over a sequence; step t draws from `fold_in(key, start + t)`."""
        reset, keys, ends = arrays.reset, None, None
        if reset is not None:
            ends = jnp.concatenate([reset[1:], jnp.zeros_like(reset[:1])])
        if key is not None:
            steps = jnp.arange(jax.tree.leaves(arrays.xs)[0].shape[0], dtype=jnp.int32)
            numbers = jnp.asarray(start).astype(jnp.int32) + steps
            keys = jax.vmap(jax.random.fold_in, (None, 0))(key, numbers)
        return self.over((arrays.mask, reset, ends, keys))

    def _at(self, place: int) -> "Run":
        if self.keys is None:
            return self
        keys = jax.vmap(jax.random.fold_in, (0, None))(self.keys, place)
        return dataclasses.replace(self, keys=keys)


def _reads(function: Callable[[PyTree, Key], PyTree], xs: PyTree, keys: Key) -> bool:
    """Whether the function of one step's input and key looks at the key."""
    first = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), (xs, keys)
    )
    jaxpr = jax.make_jaxpr(function)(*first).jaxpr
    read = [v for eqn in jaxpr.eqns for v in eqn.invars] + list(jaxpr.outvars)
    return any(v is jaxpr.invars[-1] for v in read)
