"""The gates of a step: factors that its equations confine to [0, 1].

Which factors these are is read off the equations, by following the least and the
largest value that each number can have. So gates are found however a cell writes them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from jaxrnn.unroll.taken_apart import evaluate

# What keeps numbers in order, or only moves them: the least give the least.
_NAMES = """
    add add_any broadcast_in_dim ceil clamp concatenate convert_element_type copy
    floor logistic max min name reduce_max reduce_min reduce_sum reshape rev round sign
    slice split squeeze standing tanh transpose
"""
_RISING = frozenset(_NAMES.split())


class _Range:
    """The least and the largest value of each element; `moves`: it changes by step."""

    def __init__(self, low: Any, high: Any, moves: bool) -> None:
        self.low, self.high, self.moves = np.asarray(low), np.asarray(high), moves

    @property
    def is_gate(self) -> bool:
        return self.moves and bool((self.low >= 0).all() and (self.high <= 1).all())


def factors(closed: Any, fixed: int) -> list[Any]:
    """The variables that are gates, in the order in which they arise.

    A gate multiplies something else that changes from step to step. What is 1 - g of a
    gate g is none of its own.

    Args:
      closed: the equations of a step, without the boundaries of jit.
      fixed: so many of its inputs, the first ones, are the same at every step.

    Example:
      >>> import jax.numpy as jnp
      >>> step = lambda w, h: jnp.tanh(w * h) * (0.5 + 0.5 * jnp.tanh(h))
      >>> closed = jax.make_jaxpr(step)(1.0, 2.0)
      >>> len(factors(closed, 1))
      1
    """
    jaxpr = closed.jaxpr
    ranges = {
        v: _Range(c, c, False)
        for v, c in zip(jaxpr.constvars, closed.consts, strict=True)
    }
    for place, variable in enumerate(jaxpr.invars):
        ranges[variable] = _unknown(variable, moves=place >= fixed)
    of = lambda v: (
        _Range(v.val, v.val, False) if isinstance(v, core.Literal) else ranges[v]
    )
    gates, complements = [], set()
    for eqn in jaxpr.eqns:
        operands = [of(v) for v in eqn.invars]
        if eqn.primitive.name == "mul" and all(r.moves for r in operands):
            gates += [
                v
                for v, r in zip(eqn.invars, operands, strict=True)
                if r.is_gate and v not in complements
            ]
        if eqn.primitive.name == "sub" and operands[1].is_gate:
            complements |= set(eqn.outvars)
        ranges |= zip(eqn.outvars, _after(eqn, operands), strict=True)
    arisen = {v: n for n, v in enumerate(v for e in jaxpr.eqns for v in e.outvars)}
    return sorted(dict.fromkeys(gates), key=lambda v: arisen.get(v, -1))


def _unknown(variable: Any, *, moves: bool) -> _Range:
    shape = variable.aval.shape
    return _Range(np.full(shape, -np.inf), np.full(shape, np.inf), moves)


def _after(eqn: Any, operands: Sequence[_Range]) -> list[_Range]:
    """The ranges of what an equation gives."""
    name, moves = eqn.primitive.name, any(r.moves for r in operands)
    variables = [*eqn.invars, *eqn.outvars]
    floating = all(jnp.issubdtype(v.aval.dtype, jnp.floating) for v in variables)
    if name in _RULES and floating:
        low, high = _RULES[name](*operands)
        return [_Range(low, high, moves)]
    if name not in _RISING or not floating:
        return [_unknown(v, moves=moves) for v in eqn.outvars]
    with jax.ensure_compile_time_eval():
        like = lambda a, v: np.asarray(a, v.aval.dtype)
        lows = [like(r.low, v) for r, v in zip(operands, eqn.invars, strict=True)]
        highs = [like(r.high, v) for r, v in zip(operands, eqn.invars, strict=True)]
        both = zip(evaluate(eqn, lows), evaluate(eqn, highs), strict=True)
        return [_Range(low, high, moves) for low, high in both]


def _neg(a: _Range) -> tuple[Any, Any]:
    return -a.high, -a.low


def _sub(a: _Range, b: _Range) -> tuple[Any, Any]:
    return a.low - b.high, a.high - b.low


def _mul(a: _Range, b: _Range) -> tuple[Any, Any]:
    with np.errstate(invalid="ignore"):
        ends = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    products = np.nan_to_num(ends, nan=0.0, posinf=np.inf, neginf=-np.inf)
    return products.min(axis=0), products.max(axis=0)


def _exp(a: _Range) -> tuple[Any, Any]:
    """It has one end: what cuts it off at the other, for rounding, makes no gate."""
    with np.errstate(over="ignore"):
        return np.exp(a.low), np.where(np.isfinite(a.low), np.exp(a.high), np.inf)


def _div(a: _Range, b: _Range) -> tuple[Any, Any]:
    positive = (b.low > 0).all()
    low, high = (1 / b.high, 1 / b.low) if positive else (-np.inf, np.inf)
    return _mul(a, _Range(low, high, b.moves))


_RULES: dict[str, Callable[..., tuple[Any, Any]]] = {
    "neg": _neg,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "exp": _exp,
}
