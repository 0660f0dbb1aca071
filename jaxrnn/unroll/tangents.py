"""How tangents go through a loop whose carries and products are known."""

import dataclasses
import functools
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.typing import Array
from jaxrnn.unroll.columns import turned_back
from jaxrnn.unroll.taken_apart import Product, Step, is_differentiable

Leaves = list[Any]


class Points(NamedTuple):
    """Where tangents are taken, all steps stacked; values are those of products."""

    carries: Leaves
    zs: Leaves
    values: Leaves


@dataclasses.dataclass(frozen=True)
class TangentLoop:
    """The tangent of a loop of steps.

    Attributes:
      step: `(carry, z) -> (carry, y)`, taken apart.
      width: the leaves of the carry.
      columns: the step has its rows as columns, what it puts out shall be rows.
      constants: what it reads that no step changes.
      dconstants: their tangents; None: it does not move.
    """

    step: Step
    width: int
    columns: bool
    constants: Leaves
    dconstants: Leaves

    def scan(
        self, points: Points, dcarry: Leaves, dzs: Leaves, *, keep: bool, reverse: bool
    ) -> tuple[Leaves, ...]:
        """Tangents of the last carry, the outputs and, with `keep`, of the points.

        Args:
          points: where they are taken.
          dcarry: the first carry's tangents, None where it does not move.
          dzs: the inputs', stacked.
          keep: give those of the carries and of the products' values as well.
          reverse: from the last step to the first.
        """
        dcarry = [
            jnp.zeros(c.shape[1:], c.dtype) if d is None and is_differentiable(c) else d
            for c, d in zip(points.carries, dcarry, strict=True)
        ]
        offsets = self._offsets(points, dzs)
        # The loop backwards takes these in the direction in which they lie in memory.
        around = [p.turned(self.constants[p.fixed]) for p in self.step.products]
        # Nothing but carries and products is kept for the backward loop: gates are
        # cheaper to compute again than to write and read.
        one = jax.checkpoint(
            functools.partial(self._one_step, keep, around), prevent_cse=False
        )
        inputs = (points, self.step.apart(dzs, self.width), offsets)
        dlast, dstacked = jax.lax.scan(one, dcarry, inputs, reverse=reverse)
        return dlast, *dstacked

    def _offsets(self, points: Points, dzs: Leaves) -> Leaves:
        """`h_t dW`, and what is added to it, for each product: no loop is needed."""

        def operands(carry: Leaves, z: Leaves, values: Leaves) -> Leaves:
            moved: Leaves = []

            def hook(
                product: Product, moving: Array, fixed: Array, addend: Any
            ) -> Array:
                moved.append(moving)
                return values[len(moved) - 1]

            self.step.replay(self.constants, [*carry, *z], hook)
            return moved

        offsets = []
        stacked = jax.vmap(operands)(*points)
        for product, moving in zip(self.step.products, stacked, strict=True):
            dw = self.dconstants[product.fixed]
            terms = [] if dw is None else [product.of_all(moving, dw)]
            if product.addend is not None:
                dz = dzs[product.addend - self.width]
                terms += [] if dz is None else [dz]
            offsets.append(functools.reduce(operator.add, terms) if terms else None)
        return offsets

    def _one_step(
        self, keep: bool, around: Leaves, dcarry: Leaves, inputs: tuple
    ) -> tuple[Leaves, tuple[Leaves, ...]]:
        """`jax.jvp` of the step where its products have known values and tangents."""
        (carry, z, values), dz, offsets = inputs
        elementwise = self.step.elementwise
        held = [d if i in elementwise else None for i, d in enumerate(self.dconstants)]
        sizes = [len(held), len(carry), len(z)]

        def function(leaves: Leaves) -> Leaves:
            constants, carry, z, offsets = _cut(leaves, sizes)
            recalled: Leaves = []

            def hook(
                product: Product, moving: Array, fixed: Array, addend: Any
            ) -> Array:
                k = len(recalled)
                both_ways = fixed, around[k]
                known = _recall(product, moving, both_ways, values[k], offsets[k])
                recalled.append(known)
                return recalled[-1]

            outs = self.step.replay(constants, [*carry, *z], hook)
            last, ys = _cut(outs, [self.width])
            ys = turned_back(ys) if self.columns else ys
            return [*last, *ys, *carry, *recalled] if keep else [*last, *ys]

        zeros = [None if d is None else jnp.zeros(d.shape, d.dtype) for d in offsets]
        start = [*self.constants, *carry, *z, *zeros]
        dout = jvp(function, start, [*held, *dcarry, *dz, *offsets])
        count = len(self.step.out_vars) - self.width
        dlast, dys, dcarries, dvalues = _cut(dout, [self.width, count, len(carry)])
        return dlast, (dys, dcarries, dvalues) if keep else (dys,)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _recall(
    product: Product,
    moving: Array,
    fixed: tuple[Array, Array | None],
    value: Array,
    offset: Any,
) -> Array:
    """The product's known value; its tangent is `dmoving fixed + doffset`.

    `fixed` is that operand, and as the product's transpose reads it.
    """
    return value


@_recall.defjvp
def _recall_rule(
    product: Product, primals: tuple, tangents: tuple
) -> tuple[Array, Array]:
    _, fixed, value, _ = primals
    dmoving, *_, doffset = tangents
    through = product.tangent(dmoving, *fixed)
    return value, through if doffset is None else through + doffset


def front_tangents(
    front: Step, count: int, primals: Leaves, tangents: Leaves
) -> Leaves:
    """The tangents of `front` of all steps, which needs no loop.

    Args:
      front: `x -> z` of one step.
      count: how many of the primals, the first ones, are its constants.
      primals: they, and the stacked inputs.
      tangents: of these; None: it does not move.
    """

    def hook(product: Product, moving: Array, fixed: Array, addend: Any) -> Array:
        value = product.tangent(moving, fixed, product.turned(fixed))
        return value if addend is None else value + addend

    def of_all(leaves: Leaves) -> Leaves:
        constants, xs = _cut(leaves, [count])
        return jax.vmap(lambda x: front.replay(constants, x, hook))(xs)

    if all(t is None for t in tangents):
        return [None] * len(front.out_vars)
    return jvp(of_all, primals, tangents)


def jvp(
    function: Callable[[Leaves], Leaves], primals: Leaves, tangents: Leaves
) -> Leaves:
    """The tangents of `function`, where None means that a leaf does not move."""
    moving = [i for i, t in enumerate(tangents) if t is not None]

    def of_moving(*leaves: Array) -> Leaves:
        everything = list(primals)
        for i, leaf in zip(moving, leaves, strict=True):
            everything[i] = leaf
        outs.extend(function(everything))
        return [out for out in outs if is_differentiable(out)]

    outs: Leaves = []
    at, along = [primals[i] for i in moving], [tangents[i] for i in moving]
    douts = iter(jax.jvp(of_moving, at, along)[1])
    return [next(douts) if is_differentiable(out) else None for out in outs]


def _cut(leaves: Leaves, sizes: list[int]) -> list[Leaves]:
    """The leaves in runs of the given sizes, and what is left."""
    parts = []
    for size in sizes:
        parts.append(leaves[:size])
        leaves = leaves[size:]
    return [*parts, leaves]
