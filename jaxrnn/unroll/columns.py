"""A step computed with a row of the batch as a column, `[features, B]`.

Cells are written for rows: `[B, features] @ kernel`. On a CPU that product packs the
whole kernel anew at every step, because its rows are what a vector of the processor
runs along. Turned round, `kernel.T @ [features, B]`, only the small operand is packed.
Cells need not know: their step is traced and replayed here, equation by equation, on
arrays whose first axis has become the last.

Turning is an exact change of layout. An equation without a rule gets its arrays turned
back, so that any code stays right, and what is common stays fast.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core

from jaxrnn.typing import Array, PyTree
from jaxrnn.unroll.taken_apart import dissolved, evaluate

_NAMES = """
    abs acos acosh add add_any and asin asinh atan atan2 atanh cbrt ceil clamp
    convert_element_type copy cos cosh digamma div eq erf erf_inv erfc exp exp2 expm1
    floor ge gt imag integer_pow is_finite le lgamma log log1p logistic lt max min mul
    ne neg nextafter not or pow real rem round rsqrt select_n sign sin sinh sqrt square
    standing sub tan tanh xor
"""
_ELEMENTWISE = frozenset(_NAMES.split())
_CALLS = {"custom_jvp_call": "call_jaxpr", "jit": "jaxpr", "pjit": "jaxpr"}
_REDUCTIONS = {"reduce_sum", "reduce_max", "reduce_min", "reduce_prod"}


def turned(tree: PyTree) -> PyTree:
    """Arrays with their first axis last."""
    return jax.tree.map(lambda a: jnp.moveaxis(a, 0, -1) if a.ndim > 1 else a, tree)


def turned_back(tree: PyTree) -> PyTree:
    """Arrays with their last axis first."""
    return jax.tree.map(lambda a: jnp.moveaxis(a, -1, 0) if a.ndim > 1 else a, tree)


def in_columns(function: Callable[..., PyTree]) -> Callable[..., PyTree]:
    """`function(fixed, turned, *rest)`, where it is given and returns `turned` turned.

    ::

      in_columns(f)(fixed, turned(a), b) == turned(f(fixed, a, b))

    Args:
      function: `(fixed, *moving)`, where `fixed` has no batch axis.
    """

    def run(fixed: PyTree, columns: PyTree, *rows: PyTree) -> PyTree:
        args = (fixed, jax.eval_shape(turned_back, columns), *rows)
        closed, shapes = jax.make_jaxpr(dissolved(function), return_shape=True)(*args)
        held = [_Value(a, moves=False) for a in jax.tree.leaves(fixed)]
        inside = [_Value(a, turned=a.ndim > 1) for a in jax.tree.leaves(columns)]
        outside = [_Value(a) for a in jax.tree.leaves(rows)]
        outs = _replay(closed, [*held, *inside, *outside])
        return jax.tree.unflatten(jax.tree.structure(shapes), [v.column for v in outs])

    return run


@dataclasses.dataclass(frozen=True)
class _Value:
    """An array as it lies, and whether its first axis has become its last."""

    array: Array
    turned: bool = False
    moves: bool = True  # it depends on the carry or the input

    @property
    def row(self) -> Array:
        return jnp.moveaxis(self.array, -1, 0) if self.turned else self.array

    @property
    def column(self) -> Array:
        return self.array if self.turned else turned(self.array)


def _replay(closed: Any, args: Sequence[_Value]) -> list[_Value]:
    jaxpr = closed.jaxpr
    values = dict(zip(jaxpr.invars, args, strict=True))
    consts = [_Value(a, moves=False) for a in closed.consts]
    values |= dict(zip(jaxpr.constvars, consts, strict=True))
    literal = lambda v: _Value(v.val, moves=False)
    read = lambda v: literal(v) if isinstance(v, core.Literal) else values[v]
    for eqn in jaxpr.eqns:
        operands = [read(v) for v in eqn.invars]
        moves = any(v.moves for v in operands)
        turned, outs = _equation(eqn, operands) if moves else _plainly(eqn, operands)
        for var, out in zip(eqn.outvars, outs, strict=True):
            values[var] = _Value(out, turned and jnp.ndim(out) > 1, moves)
    return [read(v) for v in jaxpr.outvars]


def _equation(eqn: Any, operands: list[_Value]) -> tuple[bool, list[Array]]:
    """Whether the results are turned, and the results."""
    name, first = eqn.primitive.name, operands[0]
    if _is_elementwise(eqn):
        if any(v.turned for v in operands):
            return True, _each_element(eqn, [v.column for v in operands])
    elif name == "dot_general" and _is_rows_by_matrix(eqn, operands):
        return True, [_matrix_by_columns(eqn, *operands)]
    elif name == "concatenate" and eqn.params["dimension"] > 0:
        lower = {"dimension": eqn.params["dimension"] - 1}
        return True, _evaluate_with(eqn, [v.column for v in operands], lower)
    elif len(operands) == 1 and (first.turned or first.array.ndim == 1):
        changed = _turned_params(name, eqn)
        if changed is not None:
            return True, _evaluate_with(eqn, [first.array], changed)
    return _plainly(eqn, operands)


def _plainly(eqn: Any, operands: list[_Value]) -> tuple[bool, list[Array]]:
    return False, evaluate(eqn, [v.row for v in operands])


def _evaluate_with(eqn: Any, operands: list[Array], changed: dict) -> list[Array]:
    return evaluate(eqn.replace(params={**eqn.params, **changed}), operands)


def _is_elementwise(eqn: Any) -> bool:
    """Whether each element of the results reads that element of the operands alone."""
    if eqn.primitive.name in _CALLS:
        inner = eqn.params[_CALLS[eqn.primitive.name]].jaxpr.eqns
        return _is_even(eqn) and all(_is_elementwise(e) and _is_even(e) for e in inner)
    ndim = eqn.outvars[0].aval.ndim
    return eqn.primitive.name in _ELEMENTWISE and all(
        v.aval.ndim in (0, ndim) for v in eqn.invars
    )


def _is_even(eqn: Any) -> bool:
    shape = eqn.outvars[0].aval.shape
    return all(v.aval.shape in ((), shape) for v in [*eqn.invars, *eqn.outvars])


def _each_element(eqn: Any, columns: list[Array]) -> list[Array]:
    if eqn.primitive.name not in _CALLS:
        return evaluate(eqn, columns)
    # What is called was traced for rows: it gets their shape, in the columns' order.
    shapes = [v.aval.shape for v in eqn.invars]
    operands = [jnp.reshape(a, s) for a, s in zip(columns, shapes, strict=True)]
    turn = lambda a: a.reshape(*a.shape[1:], *a.shape[:1])
    return [turn(a) for a in evaluate(eqn, operands)]


def _is_rows_by_matrix(eqn: Any, operands: list[_Value]) -> bool:
    (mine, other), batch = eqn.params["dimension_numbers"]
    flat = all(v.array.ndim == 2 for v in operands)
    rows = tuple(mine) == (1,) and len(other) == 1 and not any(batch)
    return flat and rows and operands[0].moves and not operands[1].moves


def _matrix_by_columns(eqn: Any, rows: _Value, kernel: _Value) -> Array:
    (_, (axis,)), _ = eqn.params["dimension_numbers"]
    matrix = kernel.array.T if axis == 0 else kernel.array
    return lax.dot_general(
        matrix,
        rows.column,
        (((1,), (0,)), ((), ())),
        precision=eqn.params["precision"],
        preferred_element_type=eqn.params["preferred_element_type"],
    )


def _turned_params(name: str, eqn: Any) -> dict[str, Any] | None:
    """The parameters of an equation of one operand once that is turned, if it can be.

    It can where the equation leaves the batch, the first axis, alone.
    """
    params, turn = eqn.params, lambda sizes: (*sizes[1:], sizes[0])
    operand, result = eqn.invars[0].aval.shape, eqn.outvars[0].aval.shape
    keeps_batch = result[:1] == operand[:1]
    down = lambda axes: tuple(a - 1 for a in axes)
    if name == "slice" and keeps_batch:
        names = ("start_indices", "limit_indices", "strides")
        return {n: params[n] and turn(params[n]) for n in names}
    if name == "split" and params["axis"] > 0:
        return {"axis": params["axis"] - 1}
    if name == "squeeze" and 0 not in params["dimensions"]:
        return {"dimensions": down(params["dimensions"])}
    if name in _REDUCTIONS and 0 not in params["axes"]:
        return {"axes": down(params["axes"])}
    if name == "reshape" and keeps_batch and params["dimensions"] is None:
        return {"new_sizes": turn(result)}
    if name == "broadcast_in_dim" and keeps_batch:
        axes = params["broadcast_dimensions"]
        if axes[0] == 0:
            last = len(result) - 1
            return {
                "shape": turn(result),
                "broadcast_dimensions": (*down(axes[1:]), last),
            }
    return None
