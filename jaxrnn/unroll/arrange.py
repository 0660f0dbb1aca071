"""Sequences as users give them, checked and laid out as the engine wants them."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.cell import Cell
from jaxrnn.typing import Array, PyTree, Shape
from jaxrnn.unroll.masks import check_flags, mask_from_lengths, zero_padding


class Arrays(NamedTuple):
    """Inputs and flags of every step, time first; None: no padding, no resets."""

    xs: PyTree
    mask: Array | None
    reset: Array | None


@dataclasses.dataclass(frozen=True)
class Sequence:
    """A batch of sequences: its arrays, T, the batch axes, and where time stood."""

    arrays: Arrays
    steps: int
    batch_shape: Shape
    time_axis: int

    def like_input(self, ys: PyTree) -> PyTree:
        """Arrays with time where the user has it."""
        if self.time_axis == 0:
            return ys
        return jax.tree.map(lambda a: jnp.moveaxis(a, 0, self.time_axis), ys)


def arrange(
    cell: Cell,
    xs: PyTree,
    *,
    lengths: Array | None = None,
    mask: Array | None = None,
    reset: Array | None = None,
    time_axis: int = 0,
) -> Sequence:
    """Check the arguments that `unroll` and the losses over it share.

    Args:
      cell: any cell.
      xs: inputs, a tree of arrays.
      lengths: real steps of each row, or None.
      mask: True at real steps, or None.
      reset: True where segments start, or None.
      time_axis: 0 or 1.

    Raises:
      ValueError, TypeError: naming the argument.
    """
    if not isinstance(cell, Cell):
        raise TypeError(f"`cell` must be a cell, got {cell!r}")
    checks.one_of((0, 1), time_axis=time_axis)
    xs = jax.tree.map(lambda a: time_first(a, time_axis), xs)
    steps, batch_shape = _sizes(cell, xs)
    if time_axis == 1 and not batch_shape:
        raise ValueError("`time_axis=1` needs a batch axis before time, `xs` has none")
    if lengths is not None and mask is not None:
        raise ValueError("give `lengths` or `mask`, not both")
    flags = {}
    for name, value in (("mask", mask), ("reset", reset)):
        if value is not None:
            value = check_flags(
                name, time_first(value, time_axis), (steps, *batch_shape)
            )
        flags[name] = value
    if lengths is not None:
        flags["mask"] = mask_from_lengths(lengths, steps, batch_shape)
    cell.check_input(zero_padding(flags["mask"], xs))  # padding may hold anything
    return Sequence(Arrays(xs, **flags), steps, batch_shape, time_axis)


def time_first(array: Array, time_axis: int) -> Array:
    """The array with its time axis in front."""
    array = jnp.asarray(array)
    return array if time_axis == 0 else jnp.moveaxis(array, time_axis, 0)


def _sizes(cell: Cell, xs: PyTree) -> tuple[int, Shape]:
    """T and the batch axes, the same in every leaf of the inputs."""
    ndims = jax.tree.leaves(jax.tree.broadcast(cell.input_ndim, xs))
    sizes = set()
    for leaf, ndim in zip(jax.tree.leaves(xs), ndims, strict=True):
        if leaf.ndim < 1 + ndim:
            raise ValueError(
                f"`xs` must have a time axis and {ndim} input axes for {cell}, "
                f"got shape {leaf.shape}"
            )
        sizes.add(leaf.shape[: leaf.ndim - ndim])
    if len(sizes) != 1:
        raise ValueError(f"`xs` must agree in time and batch axes, got {sorted(sizes)}")
    (steps, *batch_shape) = sizes.pop()
    return steps, tuple(batch_shape)
