"""A row made concrete, and the loop over its steps that `unroll` stands for."""

import dataclasses
import functools
import zlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxrnn as jr
from laws.harness import BATCH, STEPS
from laws.rows import Row


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """A cell with random parameters (biases too), inputs and carry, in float64."""

    cell: jr.Cell
    params: Any
    xs: Any
    batch: tuple[int, ...]
    carry: Any = None
    context: Any = None

    @property
    def length(self) -> int:
        return len(jax.tree.leaves(self.xs)[0])

    def unroll(self, **options: Any) -> Any:
        """`jaxrnn.unroll` of this case; options replace what it holds."""
        given = {"params": self.params, "xs": self.xs, "carry": self.carry}
        given |= {"context": self.context} | options
        return jr.unroll(self.cell, **given)

    def but(self, **changes: Any) -> "Case":
        return dataclasses.replace(self, **changes)

    def steps(self, which: slice) -> "Case":
        """The same case with some of its steps."""
        return self.but(xs=jax.tree.map(lambda a: a[which], self.xs))

    def rows(self, change: Callable[[Any], Any]) -> "Case":
        """The same case with `change` made to the batch axes of all leaves."""
        carry, context = jax.tree.map(change, (self.carry, self.context))
        return self.but(
            xs=in_time(change, self.xs),
            batch=change(np.empty(self.batch)).shape,
            carry=carry,
            context=context,
        )


def in_time(change: Callable[[Any], Any], xs: Any) -> Any:
    """`change` made to every step of all leaves."""
    return jax.tree.map(lambda a: np.stack([change(np.asarray(x)) for x in a]), xs)


_GARBAGE = {np.floating: (np.nan, np.inf, 1e30), np.integer: (-1, 10**6, 2**31 - 1)}


def polluted(case: Case, mask: Any, which: int = 0) -> Case:
    """The case with garbage at its padded steps; among ids, such as nobody has."""

    def pollute(a: np.ndarray) -> np.ndarray:
        (garbage,) = (g for kind, g in _GARBAGE.items() if np.issubdtype(a.dtype, kind))
        real = mask.reshape(mask.shape + (1,) * (a.ndim - mask.ndim))
        return np.where(real, a, np.asarray(garbage[which], a.dtype))

    return case.but(xs=jax.tree.map(pollute, case.xs))


@functools.cache
def case_of(row: Row) -> Case:
    """The case that most laws share, and with it the compiled programs."""
    return draw_case(row, STEPS, (BATCH,))


def draw_case(row: Row, steps: int, batch: tuple[int, ...], *, seed: int = 0) -> Case:
    """A case of any size. Its carry is one that the cell has come to by itself."""
    rng = np.random.default_rng([zlib.crc32(row.name.encode()), seed])
    params = jax.tree.map(lambda a: _parameter(rng, a), row.params)
    xs = draw_inputs(row, rng, (steps, *batch))
    context = None if row.context is None else row.context(rng, batch)
    case = Case(row.cell, params, xs, batch, context=context)
    warm_up = case.but(xs=draw_inputs(row, rng, (2, *batch)))
    carry = loop(warm_up)[0] if row.cell.causal else warm_up.unroll()[0]
    return case.but(carry=carry)


def draw_inputs(row: Row, rng: np.random.Generator, leading: tuple[int, ...]) -> Any:
    if row.inputs is not None:
        return row.inputs(rng, leading)
    size = row.input_size if isinstance(row.input_size, tuple) else (row.input_size,)
    return rng.normal(size=(*leading, *size))


def _parameter(rng: np.random.Generator, like: Any) -> Any:
    """Random numbers in the place of a parameter, those that start at zero included."""
    assert jnp.issubdtype(like.dtype, jnp.floating), "no numbers of this kind are drawn"
    return jnp.asarray(rng.normal(scale=0.5, size=like.shape))


def loop(
    case: Case,
    *,
    mask: Any = None,
    reset: Any = None,
    reverse: bool = False,
    key: Any = None,
    start: int = 0,
) -> tuple[Any, Any, Any]:
    """The loop that the docstring of `unroll` shows, on NumPy arrays, flag by flag.

    Returns:
      The last carry, the outputs and the carries after every step.
    """
    ready, initial = begin(case, key)
    carry = initial if case.carry is None else case.carry
    never = np.zeros((case.length, *case.batch), bool)
    real, fresh = ~never if mask is None else mask, never if reset is None else reset
    if reverse:  # a segment ends one step before the next one starts
        fresh = np.concatenate([fresh[1:], never[:1]])
    outputs, carries = {}, {}
    for t in reversed(range(case.length)) if reverse else range(case.length):
        carry = pick(fresh[t], initial, carry)
        x = jax.tree.map(lambda a, t=t: a[t], case.xs)
        x = pick(real[t], x, jax.tree.map(np.zeros_like, x))
        step_key = None if key is None else jax.random.fold_in(key, start + t)
        following, y = _step(case.cell, ready, carry, x, step_key)
        carry = carries[t] = pick(real[t], following, carry)
        outputs[t] = pick(real[t], y, jax.tree.map(np.zeros_like, y))
    return carry, _stacked(outputs), _stacked(carries)


def begin(case: Case, key: Any = None) -> tuple[Any, Any]:
    """What stands before the loop: prepared parameters and the initial carry."""
    shapes = [np.shape(a)[1:] for a in jax.tree.leaves(case.xs)]
    ready = case.cell.prepare(
        case.params,
        input_shape=shapes[0] if len(shapes) == 1 else None,
        key=jr.sequence_key(key),
        context=case.context,
    )
    return ready, case.cell.initial_carry(ready, case.batch)


@functools.partial(jax.jit, static_argnums=0)
def _step(cell: jr.Cell, ready: Any, carry: Any, x: Any, key: Any) -> tuple[Any, Any]:
    return cell.step(ready, carry, x, key=key)


def _stacked(trees: dict[int, Any]) -> Any:
    in_order = [trees[t] for t in sorted(trees)]
    return jax.tree.map(lambda *leaves: np.stack(leaves), *in_order)


def pick(flags: Any, where_true: Any, where_false: Any) -> Any:
    """Row by row from one of two trees."""

    def one(a: Any, b: Any) -> np.ndarray:
        out = np.array(b)
        for row in np.ndindex(np.shape(flags)):
            if flags[row]:
                out[row] = np.asarray(a)[row]
        return out

    return jax.tree.map(one, where_true, where_false)


def everything(carry: Any) -> Any:
    """What `collect` is asked for, to see all carries."""
    return carry
