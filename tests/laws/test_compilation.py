"""One program per shape; nothing leaks out of it."""

import jax
import jax.numpy as jnp

from laws.case import Case, draw_case
from laws.gradients import gradients
from laws.harness import (
    BATCH,
    HOLES,
    LENGTHS,
    RESETS,
    STEPS,
    compilations,
    law,
)
from laws.rows import Row


@law(cheap=True)
def test_one_compilation_per_shape(row: Row, case: Case) -> None:
    case.unroll(lengths=LENGTHS)
    jnp.asarray(HOLES)  # JAX itself compiles how it takes over an array of a new shape
    other = draw_case(row, STEPS, (BATCH,), seed=1)
    copy = row.cell.replace()
    with compilations() as compiled:
        other.unroll(lengths=LENGTHS[::-1].copy())
        other.unroll(mask=HOLES)
        other.but(cell=copy).unroll(lengths=LENGTHS)
    assert compiled == []


@law
def test_one_compilation_per_shape_whatever_the_values(row: Row, case: Case) -> None:
    flags = {"mask": HOLES, "reset": RESETS}
    run = lambda case, seed: case.unroll(key=jax.random.key(seed), start=seed, **flags)
    run(case, 0)
    other = draw_case(row, STEPS, (BATCH,), seed=1)
    with compilations() as compiled:
        run(other, 1)
    assert compiled == []


@law(dear=True)
def test_no_tracer_leaks(case: Case) -> None:
    fresh = case.steps(slice(4))  # of a shape that nobody has traced yet
    flags = {"mask": HOLES[:4], "reset": RESETS[:4]}
    with jax.checking_leaks():
        jax.make_jaxpr(lambda flags: gradients(fresh, **flags))(flags)
