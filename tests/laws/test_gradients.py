"""Gradients are right, cheap, and finite where others' are not."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

import jaxrnn as jr
from laws.case import Case, begin, draw_case
from laws.gradients import gradients, plain_scan, weigh
from laws.harness import (
    BATCH,
    HOLES,
    LENGTHS,
    RESETS,
    TILED,
    close,
    finite,
    law,
    parameters,
    stepping,
    tiles,
    vector_inputs,
)
from laws.rows import ROWS, Row

Function = Callable[[Any], Any]
Mode = Callable[[Function], Function]


ALL = {"mask": None, "reset": None}
SOME = {"mask": HOLES, "reset": RESETS}


@law(personal=True, needs=(stepping,))
@pytest.mark.parametrize(
    "flags",
    [ALL, pytest.param(SOME, marks=pytest.mark.exhaustive)],
    ids=["all", "some"],
)
def test_gradients_are_those_of_a_plain_scan(case: Case, flags: Any) -> None:
    close(gradients(case, **flags), gradients(case, plain_scan, **flags))


@law(covered=True, needs=(stepping,))
def test_gradients_of_tiles_are_those_of_a_plain_scan(case: Case) -> None:
    few = case.steps(slice(TILED))
    with tiles():
        close(gradients(few, **ALL), gradients(few, plain_scan, **ALL))


@law(covered=True)
def test_vmapped_gradients_are_those_of_rows_alone(case: Case) -> None:
    def slopes(xs: Any, carry: Any, context: Any, mask: Any) -> Any:
        row = case.but(xs=xs, carry=carry, context=context)
        return gradients(row, mask=mask, reset=None)

    mapped = jax.vmap(slopes, in_axes=(1, 0, 0, 1))
    together = mapped(case.xs, case.carry, case.context, HOLES)
    for row in range(BATCH):
        alone = case.rows(lambda a, row=row: a[row])
        alone = slopes(alone.xs, alone.carry, alone.context, HOLES[:, row])
        close(jax.tree.map(lambda g, row=row: g[row], together), alone)


def forward(function: Function) -> Function:
    return lambda x: jax.jvp(function, (x,), (jnp.ones_like(x),))[1]


reverse = jax.grad


def plane(case: Case) -> Callable[[Any, Any], jax.Array]:
    """The weighed result on a plane of parameters, inputs and carries, with lengths."""
    rng = np.random.default_rng(0)
    start = case.params, case.xs, case.carry
    floating = lambda leaf: jnp.issubdtype(leaf.dtype, jnp.floating)
    direction = lambda leaf: rng.normal(size=leaf.shape) if floating(leaf) else 0
    along, across = (jax.tree.map(direction, start) for _ in range(2))

    def value(a: Any, b: Any) -> jax.Array:
        move = lambda x, v, w: x + a * v + b * w if floating(x) else x
        params, xs, carry = jax.tree.map(move, start, along, across)
        return weigh(case.unroll(params=params, xs=xs, carry=carry, lengths=LENGTHS))

    return value


def difference(function: Function, h: float = 1e-4) -> jax.Array:
    """The slope at 0, with an error of order h^4."""
    rise = lambda h: function(h) - function(-h)
    return (8 * rise(h) - rise(2 * h)) / (12 * h)


@law
def test_first_derivatives_are_differences(case: Case) -> None:
    value = plane(case)
    line = lambda a: value(a, 0.0)
    slopes = jax.jit(lambda a: (line(a), forward(line)(a), reverse(line)(a)))
    expected = difference(lambda a: slopes(a)[0])
    for slope in slopes(0.0)[1:]:
        np.testing.assert_allclose(slope, expected, 1e-7, 1e-7)


@law
@pytest.mark.parametrize(
    "outer, inner",
    [
        (forward, reverse),
        pytest.param(reverse, reverse, marks=pytest.mark.laws),
        pytest.param(reverse, forward, marks=pytest.mark.laws),
        pytest.param(forward, forward, marks=pytest.mark.laws),
    ],
)
def test_second_derivatives_are_differences(
    case: Case, outer: Mode, inner: Mode
) -> None:
    value = plane(case)
    slope = lambda a: inner(lambda b: value(a, b))(0.0)
    curves = jax.jit(lambda a: (slope(a), outer(slope)(a)))
    expected = difference(lambda a: curves(a)[0])
    np.testing.assert_allclose(curves(0.0)[1], expected, 1e-7, 1e-7)


ROWS_OF_BATCH = 17  # a factor of no size in the rows: where it is missing, no batch is


@law(personal=True, needs=(parameters,))
def test_no_weight_is_accumulated_in_the_loop(row: Row) -> None:
    case = draw_case(row, 5, (ROWS_OF_BATCH,))
    assert not list(carried_without_batch(case, jr.unroll))


def test_a_plain_scan_accumulates_weights_in_the_loop() -> None:
    (lstm,) = (row for row in ROWS if row.name == "lstm")
    case = draw_case(lstm, 5, (ROWS_OF_BATCH,))
    assert (5, 20) in carried_without_batch(case, plain_scan)


def carried_without_batch(case: Case, run: Callable[..., Any]) -> Iterator[tuple]:
    """Shapes that loops of the gradient carry: matrices, and no activations."""
    for flags in (None, np.ones((case.length, *case.batch), bool)):
        given = {"mask": flags, "reset": flags}
        slopes = lambda given=given: gradients(case, run, **given)[1][0]
        for shape in carried(jax.make_jaxpr(slopes)().jaxpr):
            if len(shape) >= 2 and ROWS_OF_BATCH not in shape:
                yield shape


def carried(jaxpr: Any) -> Iterator[tuple]:
    """The shapes of what all loops of a program hand from turn to turn."""
    for equation in jaxpr.eqns:
        for inner in jaxprs_in_params(equation.params):
            yield from carried(inner)
        if equation.primitive.name in ("scan", "while"):
            body = equation.params.get("body_jaxpr", equation.params.get("jaxpr"))
            inside = getattr(body, "jaxpr", body).outvars
            for out, before in zip(equation.outvars, inside, strict=True):
                if out.aval.shape == before.aval.shape:  # else it is stacked
                    yield out.aval.shape


@law(needs=(vector_inputs,))
def test_gradients_are_moderate_where_all_is_zero(row: Row, case: Case) -> None:
    """At the cell's own initial parameters, where a norm of zeros has no slope."""
    init = jax.jit(row.cell.init, static_argnums=1)
    params = jax.tree.map(jnp.float64, init(jax.random.key(0), row.input_size))
    zeros = jax.tree.map(np.zeros_like, case.xs)
    quiet = case.but(params=params, xs=zeros, carry=begin(case)[1])
    finite(gradients(quiet, mask=HOLES, reset=RESETS), bound=1e4)


@law(needs=(vector_inputs,))
def test_gradients_are_finite_where_gates_saturate(case: Case) -> None:
    far = jax.tree.map(lambda a: 1e4 * a if a.dtype == float else a, case.xs)
    finite(gradients(case.but(xs=far), mask=HOLES, reset=RESETS))
