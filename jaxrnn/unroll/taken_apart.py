"""A step function taken apart: what no step changes, the products with it, the rest."""

import collections
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from jaxrnn.typing import Array, PyTree
from jaxrnn.unroll import held

# Evaluated before the loop these would only be copied into it, larger than they were.
_MADE_IN_PLACE = {"broadcast_in_dim", "iota"}
_BOUNDARIES = {
    "jit",
    "pjit",
    "closed_call",
    "core_call",
    "remat",
    "remat2",
    "checkpoint",
}


@dataclasses.dataclass(frozen=True)
class Product:
    """A product of something a step computes with something that no step changes.

    Where the product is at once added to an input of the step, the sum stands for both:
    neither the product nor the input is then needed apart.

    Attributes:
      eqn: the equation of the product.
      moving: the variable that steps compute.
      fixed: the index of the unchanged operand among the constants.
      addend: the position among the inputs of what is added, or None.
      out: the variable that holds the product or the sum.
    """

    eqn: Any
    moving: Any
    fixed: int
    addend: int | None
    out: Any

    def apply(self, moving: Array, fixed: Array) -> Array:
        """The product itself."""
        first = self.eqn.invars[0] is self.moving
        operands = (moving, fixed) if first else (fixed, moving)
        return self.eqn.primitive.bind(*operands, **self.eqn.params)

    @property
    def axis(self) -> int | None:
        """The axis of the moving operand that a matrix meets: rows -1, columns 0."""
        sums = self.eqn.params.get("dimension_numbers")
        flat = all(v.aval.ndim == 2 for v in self.eqn.invars)
        if not flat or sums != (((1,), (0,)), ((), ())):
            return None
        return -1 if self.eqn.invars[0] is self.moving else 0

    def turned(self, fixed: Array) -> Array | None:
        """The fixed operand as the product's transpose reads it, if it is a matrix."""
        return None if self.axis is None else fixed.T

    def tangent(self, dmoving: Array, fixed: Array, turned: Array | None) -> Array:
        """The product of a tangent; its transpose reads `turned`."""
        if turned is None or self.axis is None:
            return self.apply(dmoving, fixed)
        return held.product(dmoving, fixed, turned, axis=self.axis, **self._options)

    def of_all(self, moving: Array, dfixed: Array) -> Array:
        """The products of all steps with a tangent of the fixed operand, `[T, ...]`."""
        if self.axis is None:
            return jax.vmap(self.apply, (0, None))(moving, dfixed)
        if self.axis == -1:
            return held.by_matrix(dfixed, moving, axis=-1, **self._options)
        columns = held.by_matrix(dfixed, moving, axis=1, **self._options)
        return jnp.moveaxis(columns, 1, 0)

    @property
    def _options(self) -> dict[str, Any]:
        names = ("precision", "preferred_element_type")
        return {name: self.eqn.params[name] for name in names}


Hook = Callable[[Product, Array, Array, Any], Array]


@dataclasses.dataclass(frozen=True)
class Step:
    """`inputs -> outputs` of one step as the equations that change from step to step.

    Attributes:
      equations: what is left of the step once its constants are known, in order; a
        `Product` where there is one.
      constant_vars: the variables that no step changes; their values, the constants,
        are arguments of `replay`.
      in_vars: the variables of the inputs.
      out_vars: those of the outputs.
      elementwise: the constants that also enter something other than a product.
    """

    equations: Sequence[Any]
    constant_vars: Sequence[Any]
    in_vars: Sequence[Any]
    out_vars: Sequence[Any]
    elementwise: frozenset[int]

    @property
    def products(self) -> list[Product]:
        """The products, in the order in which `replay` comes to them."""
        return [eqn for eqn in self.equations if isinstance(eqn, Product)]

    def apart(self, inputs: Sequence[Any], width: int) -> list[Any]:
        """The inputs after the first `width`, without those that are part of a product.

        None stands for these: the product's value holds what they have to say.
        """
        part = {p.addend for p in self.products}
        return [None if i + width in part else a for i, a in enumerate(inputs)]

    def replay(
        self, constants: Sequence[Array], inputs: Sequence[Any], hook: Hook
    ) -> list:
        """The outputs, with `hook(product, moving, fixed, addend)` for products."""
        values = dict(zip(self.constant_vars, constants, strict=True))
        values |= dict(zip(self.in_vars, inputs, strict=True))
        read = lambda v: v.val if isinstance(v, core.Literal) else values[v]
        for eqn in self.equations:
            if isinstance(eqn, Product):
                addend = None if eqn.addend is None else inputs[eqn.addend]
                moving, fixed = read(eqn.moving), constants[eqn.fixed]
                values[eqn.out] = hook(eqn, moving, fixed, addend)
            else:
                outs = evaluate(eqn, [read(v) for v in eqn.invars])
                values |= dict(zip(eqn.outvars, outs, strict=True))
        return [read(v) for v in self.out_vars]


def take_apart(
    function: Callable[..., PyTree], fixed: PyTree, carry: PyTree, x: PyTree
) -> tuple[Step, list[Array], Any]:
    """Split `function(fixed, carry, x)` into a `Step` and its constants' values.

    What depends on `fixed` alone (transposes, casts, parts of weights) is evaluated
    here, once; how it depends on `fixed` is ordinary, differentiable JAX.

    Args:
      function: one step.
      fixed: arrays that no step changes.
      carry: what a step gets from the one before: arrays, or their shapes.
      x: what each step gets anew, likewise.

    Returns:
      The step, its constants, and the tree structure of its output.
    """
    closed, shapes = jax.make_jaxpr(dissolved(function), return_shape=True)(
        fixed, carry, x
    )
    jaxpr, fixed_leaves = closed.jaxpr, jax.tree.leaves(fixed)
    known = dict(zip(jaxpr.constvars, closed.consts, strict=True))
    known |= dict(zip(jaxpr.invars, fixed_leaves, strict=False))
    in_vars = jaxpr.invars[len(fixed_leaves) :]
    equations = []
    for eqn in jaxpr.eqns:
        if _is_known(eqn, known):
            operands = [
                v.val if isinstance(v, core.Literal) else known[v] for v in eqn.invars
            ]
            known |= dict(zip(eqn.outvars, evaluate(eqn, operands), strict=True))
        else:
            equations.append(eqn)
    carried = len(jax.tree.leaves(carry))
    step = _step(equations, known, in_vars, jaxpr.outvars, carried)
    return step, [known[v] for v in step.constant_vars], jax.tree.structure(shapes)


def _step(
    equations: list, known: dict, in_vars: list, out_vars: list, carried: int
) -> Step:
    is_known = lambda v: not isinstance(v, core.Literal) and v in known
    read = [v for eqn in equations for v in eqn.invars if is_known(v)]
    constant_vars = list(dict.fromkeys([*read, *filter(is_known, out_vars)]))
    index = {v: i for i, v in enumerate(constant_vars)}
    uses = collections.Counter(
        v
        for v in [v for eqn in equations for v in eqn.invars] + list(out_vars)
        if not isinstance(v, core.Literal)
    )
    parts: list[Any] = []
    for eqn in equations:
        parts.append(_product(eqn, index) or eqn)
        _absorb_sum(parts, in_vars, carried, uses)
    plain = [eqn for eqn in parts if not isinstance(eqn, Product)]
    others = [v for eqn in plain for v in eqn.invars] + list(out_vars)
    elementwise = frozenset(index[v] for v in others if is_known(v))
    return Step(parts, constant_vars, in_vars, out_vars, elementwise)


def _product(eqn: Any, index: dict[Any, int]) -> Product | None:
    if eqn.primitive.name not in ("dot_general", "conv_general_dilated"):
        return None
    fixed = [not isinstance(v, core.Literal) and v in index for v in eqn.invars]
    if fixed[0] == fixed[1]:
        return None
    moving, held = eqn.invars if fixed[1] else reversed(eqn.invars)
    return Product(eqn, moving, index[held], None, eqn.outvars[0])


def _absorb_sum(
    parts: list, in_vars: list, carried: int, uses: collections.Counter
) -> None:
    """Make the last equation part of a product, if it adds an input to it alone.

    Not a carried one: its tangent is only known inside the loop.
    """
    eqn = parts[-1]
    if isinstance(eqn, Product) or eqn.primitive.name not in ("add", "add_any"):
        return
    if any(isinstance(v, core.Literal) for v in eqn.invars):
        return
    for product, addend in (eqn.invars, eqn.invars[::-1]):
        if addend not in in_vars[carried:] or uses[product] != 1 or uses[addend] != 1:
            continue
        for place, part in enumerate(parts):
            if (
                isinstance(part, Product)
                and part.out is product
                and part.addend is None
            ):
                parts[-1] = dataclasses.replace(
                    part, addend=in_vars.index(addend), out=eqn.outvars[0]
                )
                del parts[place]
                return


def _is_known(eqn: Any, known: dict) -> bool:
    if eqn.effects or eqn.primitive.name in _MADE_IN_PLACE:
        return False
    return all(isinstance(v, core.Literal) or v in known for v in eqn.invars)


def evaluate(eqn: Any, operands: Sequence[Any]) -> list[Any]:
    out = eqn.primitive.bind(*operands, **eqn.primitive.get_bind_params(eqn.params))
    return list(out) if eqn.primitive.multiple_results else [out]


def dissolved(function: Callable[..., PyTree]) -> Callable[..., PyTree]:
    """The same function without the boundaries of jit, behind which products hide."""

    def flat(*args: PyTree) -> PyTree:
        closed, shapes = jax.make_jaxpr(function, return_shape=True)(*args)
        outs = _dissolve(closed.jaxpr, closed.consts, jax.tree.leaves(args))
        return jax.tree.unflatten(jax.tree.structure(shapes), outs)

    return flat


def _dissolve(jaxpr: Any, consts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True))
    read = lambda v: v.val if isinstance(v, core.Literal) else values[v]
    for eqn in jaxpr.eqns:
        operands = [read(v) for v in eqn.invars]
        inner = eqn.params.get("jaxpr") if eqn.primitive.name in _BOUNDARIES else None
        if inner is None:
            outs = evaluate(eqn, operands)
        else:
            consts = getattr(inner, "consts", ())
            outs = _dissolve(getattr(inner, "jaxpr", inner), consts, operands)
        values |= dict(zip(eqn.outvars, outs, strict=True))
    return [read(v) for v in jaxpr.outvars]


def is_differentiable(leaf: Array) -> bool:
    """Whether the leaf has tangents: floats have, ids and keys have not."""
    return jnp.issubdtype(leaf.dtype, jnp.inexact)
