"""A scan whose weight gradients are formed after the loop, not inside it.

Backpropagation through time sums a weight's gradient over the steps. For a product
p_t = h_t W it is

    dL/dW = sum_t h_t^T dL/dp_t = H^T P,

where H and P stack all h_t and dL/dp_t: ONE product. Only the cotangents dL/dp_t need
the loop, because dL/dh_t needs dL/dp_t of the step after it; no step needs dL/dW.
`lax.scan`'s own transpose adds h_t^T dL/dp_t up step by step, a product of the rank of
the batch and a pass over a weight-sized array at every step.

Reverse mode is the transpose of forward mode, so it is enough to say how TANGENTS go
through the scan, and JAX derives the rest, second order and vmap included:

    dp_t = dh_t W + h_t dW

The first term needs dh_t and stays in the loop. The second needs only what the forward
pass has computed, so it stands before the loop, for all t at once: the product H dW.
Its transpose is the product H^T P.
"""

import dataclasses
import functools
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from jaxrnn.typing import Array, PyTree
from jaxrnn.unroll.taken_apart import Product, Step, is_differentiable, take_apart

StepFunction = Callable[[PyTree, PyTree, PyTree], tuple[PyTree, PyTree]]
Leaves = list[Any]


def scan(
    function: StepFunction,
    fixed: PyTree,
    carry: PyTree,
    xs: PyTree,
    *,
    reverse: bool = False,
) -> tuple[PyTree, PyTree]:
    """`lax.scan(partial(function, fixed), carry, xs)` with deferred weight gradients.

    Args:
      function: `(fixed, carry, x) -> (carry, y)`, any JAX code. The gradients of the
        parts of `fixed` that enter matrix products and convolutions are formed after
        the loop; those of other parts (vectors) accumulate in it. A product inside an
        inner `scan` or `cond` is not seen: write micro-steps as a Python loop.
      fixed: what no step changes.
      carry: the first state.
      xs: arrays `[T, ...]`.
      reverse: from the last step to the first.

    Returns:
      The last carry and the stacked `ys`.
    """
    first = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), xs)
    step, constants, out_tree = take_apart(function, fixed, carry, first)
    run = _differentiable_scan(step, len(jax.tree.leaves(carry)), reverse)
    last, ys = run(constants, jax.tree.leaves(carry), jax.tree.leaves(xs))
    return jax.tree.unflatten(out_tree, [*last, *ys])


def _differentiable_scan(step: Step, width: int, reverse: bool) -> Callable[..., Any]:
    """The scan of `step`, whose carry has `width` leaves; a rule for its tangents."""

    def run(keep: bool, constants: Leaves, carry: Leaves, xs: Leaves) -> Any:
        def body(carry: Leaves, x: Leaves) -> tuple[Leaves, Any]:
            values: Leaves = []

            def hook(
                product: Product, moving: Array, fixed: Array, addend: Any
            ) -> Array:
                value = product.apply(moving, fixed)
                values.append(value if addend is None else value + addend)
                return values[-1]

            outs = step.replay(constants, [*carry, *x], hook)
            ys = outs[width:]
            return outs[:width], (ys, carry, values) if keep else ys

        return jax.lax.scan(body, carry, xs, reverse=reverse)

    plain = jax.custom_jvp(functools.partial(run, False))
    keeping = jax.custom_jvp(functools.partial(run, True))

    def rule(keep: bool, primals: Any, tangents: Any) -> tuple[Any, Any]:
        # `keeping` has this very rule, so that second derivatives are deferred as well.
        last, (ys, carries, values) = keeping(*primals)
        constants, _, xs = primals
        dconstants, dcarry, dxs = map(_nonzero, tangents)
        loop = _TangentLoop(step, width, keep, constants, dconstants)
        douts = loop.scan((carries, xs, values), dcarry, dxs, reverse)
        out = (last, (ys, carries, values) if keep else ys)
        return out, _with_zeros(out, [d for part in douts for d in part])

    plain.defjvp(functools.partial(rule, False), symbolic_zeros=True)
    keeping.defjvp(functools.partial(rule, True), symbolic_zeros=True)
    return plain


@dataclasses.dataclass(frozen=True)
class _TangentLoop:
    """How tangents go through the steps, at carries and products that are known."""

    step: Step
    width: int
    keep: bool
    constants: Leaves
    dconstants: Leaves

    def scan(
        self, points: tuple, dcarry: Leaves, dxs: Leaves, reverse: bool
    ) -> tuple[Leaves, Leaves]:
        """Tangents of the last carry, and stacked ones of what the steps put out."""
        carries, xs, values = points
        dcarry = [
            jnp.zeros(c.shape[1:], c.dtype) if d is None and is_differentiable(c) else d
            for c, d in zip(carries, dcarry, strict=True)
        ]
        offsets = self.offsets(points, dxs)
        # An input that is part of a product's value is not read again.
        absorbed = {self.addend(product) for product in self.step.products}
        rest = lambda leaves: [
            None if i in absorbed else a for i, a in enumerate(leaves)
        ]
        inputs = (carries, rest(xs), values, rest(dxs), offsets)
        # Nothing but carries and products is kept for the backward loop: gates are
        # cheaper to compute again than to write and read.
        one_step = jax.checkpoint(self.one_step, prevent_cse=False)
        return jax.lax.scan(one_step, dcarry, inputs, reverse=reverse)

    def offsets(self, points: tuple, dxs: Leaves) -> Leaves:
        """`h_t dW`, and what is added to it, for each product: no loop is needed."""

        def operands(carry: Leaves, x: Leaves, values: Leaves) -> Leaves:
            moved: Leaves = []

            def hook(
                product: Product, moving: Array, fixed: Array, addend: Any
            ) -> Array:
                moved.append(moving)
                return values[len(moved) - 1]

            self.step.replay(self.constants, [*carry, *x], hook)
            return moved

        offsets = []
        stacked = jax.vmap(operands)(*points)
        for product, moving in zip(self.step.products, stacked, strict=True):
            dw, addend = self.dconstants[product.fixed], self.addend(product)
            terms = [] if dw is None else [product.apply_to_all(moving, dw)]
            if addend is not None and dxs[addend] is not None:
                terms.append(dxs[addend])
            offsets.append(functools.reduce(operator.add, terms) if terms else None)
        return offsets

    def addend(self, product: Product) -> int | None:
        """Which of `xs` is part of the product's value."""
        return None if product.addend is None else product.addend - self.width

    def one_step(self, dcarry: Leaves, inputs: tuple) -> tuple[Leaves, Leaves]:
        """`jax.jvp` of the step where its products have known values and tangents."""
        carry, x, values, dx, offsets = inputs
        elementwise = self.step.elementwise
        held = [d if i in elementwise else None for i, d in enumerate(self.dconstants)]
        sizes = [len(held), len(carry), len(x)]

        def function(leaves: Leaves) -> Leaves:
            constants, carry, x, offsets = _cut(leaves, sizes)
            recalled: Leaves = []

            def hook(
                product: Product, moving: Array, fixed: Array, addend: Any
            ) -> Array:
                k = len(recalled)
                recalled.append(_recall(product, moving, fixed, values[k], offsets[k]))
                return recalled[-1]

            outs = self.step.replay(constants, [*carry, *x], hook)
            return [*outs, *carry, *recalled] if self.keep else outs

        zeros = [None if d is None else jnp.zeros(d.shape, d.dtype) for d in offsets]
        start = [*self.constants, *carry, *x, *zeros]
        dout = _jvp(function, start, [*held, *dcarry, *dx, *offsets])
        return dout[: self.width], dout[self.width :]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _recall(
    product: Product, moving: Array, fixed: Array, value: Array, offset: Any
) -> Array:
    """The product's known value; its tangent is `dmoving fixed + doffset`."""
    return value


@_recall.defjvp
def _recall_rule(
    product: Product, primals: tuple, tangents: tuple
) -> tuple[Array, Array]:
    _, fixed, value, _ = primals
    dmoving, _, _, doffset = tangents
    through = product.apply(dmoving, fixed)
    return value, through if doffset is None else through + doffset


def _jvp(
    function: Callable[[Leaves], Leaves], primals: Leaves, tangents: Leaves
) -> Leaves:
    """`jax.jvp` where a tangent None means that the leaf does not move."""
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


def _nonzero(tangents: Leaves) -> Leaves:
    return [None if isinstance(t, SymbolicZero) else t for t in tangents]


def _with_zeros(out: PyTree, tangents: Leaves) -> PyTree:
    """The tangents of `out`, those of ids and keys filled in."""
    leaves, tree = jax.tree.flatten(out)
    full = [
        np.zeros(leaf.shape, jax.dtypes.float0) if tangent is None else tangent
        for leaf, tangent in zip(leaves, tangents, strict=True)
    ]
    return jax.tree.unflatten(tree, full)


def _cut(leaves: Leaves, sizes: list[int]) -> list[Leaves]:
    """The leaves in runs of the given sizes, and what is left."""
    parts = []
    for size in sizes:
        parts.append(leaves[:size])
        leaves = leaves[size:]
    return [*parts, leaves]
