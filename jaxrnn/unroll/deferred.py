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


The same holds for what enters a step from outside, z_t = x_t V: its tangent stands
before the loop for all t, also where the loop itself computes z_t step by step.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from jaxrnn.typing import Array, PyTree
from jaxrnn.unroll.columns import in_columns, turned, turned_back
from jaxrnn.unroll.taken_apart import Step, is_differentiable, take_apart
from jaxrnn.unroll.tangents import Leaves, Points, TangentLoop, front_tangents

Front = Callable[[PyTree, PyTree], PyTree]
StepFunction = Callable[[PyTree, PyTree, PyTree], tuple[PyTree, PyTree]]


def row_loop(
    function: StepFunction, fixed: PyTree, carry: PyTree, xs: PyTree, *, reverse: bool
) -> "Loop":
    """`lax.scan(partial(function, fixed), carry, xs)`, of any stretch of time.

    Args:
      function: `(fixed, carry, x) -> (carry, y)`, any JAX code. The gradients of the
        parts of `fixed` that enter matrix products and convolutions are formed after
        the loop; those of other parts (vectors) accumulate in it. A product inside an
        inner `scan` or `cond` is not seen: write micro-steps as a Python loop.
      fixed: what no step changes.
      carry: a state, or its shapes.
      xs: inputs `[T, ...]`, or their shapes.
      reverse: from the last step to the first.
    """
    step, constants, tree = take_apart(function, fixed, carry, _one(xs))
    program = _Program(step, len(jax.tree.leaves(carry)), reverse)
    return Loop(program, [], constants, tree)


def column_loop(
    front: Front,
    function: StepFunction,
    fixed: PyTree,
    carry: PyTree,
    xs: PyTree,
    *,
    reverse: bool,
) -> "Loop":
    """The scan of `function(fixed, carry, front(fixed, x))`, a row as a column.

    Every step computes its own `front`: the product of a matrix with the columns of a
    step is as fast as with those of all steps, and what it gives need not be written to
    memory and read again.

    Args:
      front: `(fixed, x) -> z`, what a step does before it looks at the carry.
      function: `(fixed, carry, z) -> (carry, y)`, the rest of it.
      fixed: what no step changes.
      carry: a state, or its shapes; the leaves begin with the batch.
      xs: inputs `[T, B, ...]`, or their shapes.
      reverse: from the last step to the first.
    """
    x = _one(xs)
    z = jax.eval_shape(front, fixed, x)
    columns = jax.eval_shape(turned, (carry, z))
    before = in_columns(lambda fixed, _, x: front(fixed, x))
    after = in_columns(lambda fixed, columns: function(fixed, *columns))
    first, first_constants, _ = take_apart(before, fixed, (), x)
    step, constants, tree = take_apart(
        lambda fixed, *columns: after(fixed, columns), fixed, *columns
    )
    program = _Program(step, len(jax.tree.leaves(carry)), reverse, first)
    return Loop(program, first_constants, constants, tree)


@dataclasses.dataclass(frozen=True)
class Loop:
    """Steps taken apart once: `loop(carry, xs) -> (carry, ys)` of a stretch of time."""

    program: "_Program"
    front_constants: Leaves
    constants: Leaves
    out_tree: Any

    def __call__(self, carry: PyTree, xs: PyTree) -> tuple[PyTree, PyTree]:
        columns = self.program.columns
        leaves = jax.tree.leaves(turned(carry) if columns else carry)
        run = _differentiable(self.program)
        last, ys = run(
            self.front_constants, self.constants, leaves, jax.tree.leaves(xs)
        )
        last = turned_back(last) if columns else last
        return jax.tree.unflatten(self.out_tree, [*last, *ys])


@dataclasses.dataclass(frozen=True)
class _Program:
    """A loop without its values.

    Attributes:
      step: `(carry, z) -> (carry, y)`.
      width: the leaves of the carry.
      reverse: from the last step to the first.
      front: `x -> z` in columns, which a step does first; None: it is given z in rows.
    """

    step: Step
    width: int
    reverse: bool
    front: Step | None = None

    @property
    def columns(self) -> bool:
        return self.front is not None

    def run(
        self,
        keep: bool,
        front_constants: Leaves,
        constants: Leaves,
        carry: Leaves,
        xs: Leaves,
    ) -> Any:
        """The loop; `keep` adds, for every step, where its tangents will be taken."""
        plain = lambda product, moving, fixed, addend: _sum(
            product.apply(moving, fixed), addend
        )

        def body(carry: Leaves, x: Leaves) -> tuple[Leaves, Any]:
            values: Leaves = []

            def hook(*operands: Any) -> Array:
                values.append(plain(*operands))
                return values[-1]

            z = self.front.replay(front_constants, x, plain) if self.front else x
            outs = self.step.replay(constants, [*carry, *z], hook)
            ys, computed = outs[self.width :], []
            if self.front:
                ys, computed = turned_back(ys), self.step.apart(z, self.width)
            return outs[: self.width], (ys, carry, values, computed) if keep else ys

        return jax.lax.scan(body, carry, xs, reverse=self.reverse)


def _differentiable(program: _Program) -> Callable[..., Any]:
    """`program.run` with a rule for its tangents."""
    plain = jax.custom_jvp(functools.partial(program.run, False))
    keeping = jax.custom_jvp(functools.partial(program.run, True))
    step, front = program.step, program.front

    def rule(keep: bool, primals: Any, tangents: Any) -> tuple[Any, Any]:
        # `keeping` has this very rule, so that second derivatives are deferred as well.
        last, (ys, carries, values, computed) = keeping(*primals)
        front_constants, constants, _, xs = primals
        dfront_constants, dconstants, dcarry, dxs = map(_nonzero, tangents)
        # Of the inputs, those that are part of a product's value are not read again.
        zs, dzs = computed, dxs
        if front is None:
            zs = step.apart(xs, program.width)
        else:
            given, moves = [*front_constants, *xs], [*dfront_constants, *dxs]
            dzs = front_tangents(front, len(front_constants), given, moves)
        points = Points(carries, zs, values)
        loop = TangentLoop(step, program.width, program.columns, constants, dconstants)
        dlast, *dstacked = loop.scan(
            points, dcarry, dzs, keep=keep, reverse=program.reverse
        )
        out = last, ys
        if keep:
            out = last, (ys, carries, values, computed)
            pairs = zip(computed, dzs, strict=True) if front else ()
            dstacked.append([dz for z, dz in pairs if z is not None])
        return out, _with_zeros(out, [dlast, *dstacked])

    plain.defjvp(functools.partial(rule, False), symbolic_zeros=True)
    keeping.defjvp(functools.partial(rule, True), symbolic_zeros=True)
    return plain


def _one(xs: PyTree) -> PyTree:
    """The shapes of one step's inputs."""
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), xs)


def _sum(value: Array, addend: Array | None) -> Array:
    return value if addend is None else value + addend


def _nonzero(tangents: Leaves) -> Leaves:
    return [None if isinstance(t, SymbolicZero) else t for t in tangents]


def _with_zeros(out: PyTree, tangents: PyTree) -> PyTree:
    """The tangents of `out`, those that are None filled in."""
    leaves, tree = jax.tree.flatten(out)
    found = jax.tree.leaves(tangents, is_leaf=lambda a: a is None)
    full = [
        _zero(leaf) if tangent is None else tangent
        for leaf, tangent in zip(leaves, found, strict=True)
    ]
    return jax.tree.unflatten(tree, full)


def _zero(leaf: Array) -> Any:
    if is_differentiable(leaf):
        return jnp.zeros_like(leaf)
    return np.zeros(leaf.shape, jax.dtypes.float0)
