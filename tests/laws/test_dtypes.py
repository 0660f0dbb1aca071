"""Who casts what: outputs in `dtype`, gates and carries in float32 or float64."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from laws.case import Case
from laws.gradients import gradients
from laws.harness import HOLES, RESETS, close, finite, law, parameters
from laws.rows import Row

DTYPES = ["float32", "bfloat16", "float16"]
HALVES = DTYPES[1:]
FLAGS = {"mask": HOLES, "reset": RESETS}


def floats(tree: Any) -> set[str]:
    """The dtypes of the floating leaves."""
    kinds = (np.dtype(leaf.dtype) for leaf in jax.tree.leaves(tree))
    return {kind.name for kind in kinds if jnp.issubdtype(kind, jnp.floating)}


def cast(tree: Any, dtype: str) -> Any:
    """In NumPy, where a cast is no program to compile."""

    def one(a):
        a = np.asarray(a)
        return a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a

    return jax.tree.map(one, tree)


def cast_case(case: Case, params: str, xs: str, **stated: str) -> Case:
    """The case with parameters and inputs of some dtypes, and a carry in float32."""
    return case.but(
        cell=case.cell.replace(**stated),
        params=jax.tree.map(jnp.asarray, cast(case.params, params)),
        xs=cast(case.xs, xs),
        carry=cast(case.carry, "float32"),
    )


def traced(case: Case) -> Any:
    """The shapes and dtypes of what `unroll` returns."""
    return jax.eval_shape(lambda mask: case.unroll(mask=mask), HOLES)


@law(cheap=True, needs=(parameters,))
def test_float64_parameters_compute_in_float64(case: Case) -> None:
    carry, ys = case.unroll(mask=HOLES)
    assert floats(ys) == {"float64"}
    assert floats(carry) <= {"float64"}


@law(cheap=True)
def test_float32_is_the_default(row: Row, case: Case) -> None:
    assert floats(row.params) <= {"float32"}
    carry, ys = traced(cast_case(case, "float32", "float32"))
    assert floats(ys) == {"float32"}
    assert floats(carry) <= {"float32"}


@law(cheap=True)
def test_outputs_are_in_dtype_and_carries_in_float32(case: Case) -> None:
    carry, ys = traced(cast_case(case, "float32", "float32", dtype="bfloat16"))
    assert floats(ys) == {"bfloat16"}
    assert floats(carry) <= {"float32"}


@law(cheap=True)
def test_param_dtype_is_what_parameters_are_made_in(row: Row, case: Case) -> None:
    half = cast_case(case, "bfloat16", "float32", param_dtype="bfloat16")
    init = lambda key: half.cell.init(key, row.input_size)
    assert floats(jax.eval_shape(init, jax.random.key(0))) <= {"bfloat16"}
    carry, ys = traced(half)
    assert floats(ys) == {"bfloat16"}
    assert floats(carry) <= {"float32"}


@law
def test_inputs_and_parameters_may_differ_in_dtype(case: Case) -> None:
    for params in DTYPES:
        for xs in DTYPES:
            carry, _ = traced(cast_case(case, params, xs))
            assert floats(carry) <= {"float32"}


@law
@pytest.mark.parametrize("dtype", HALVES)
def test_half_precision_is_near(case: Case, dtype: str) -> None:
    exact = case.unroll(mask=HOLES)
    half = cast_case(case, "float32", dtype, dtype=dtype).unroll(mask=HOLES)
    close(cast(half, "float64"), cast(exact, "float64"), 0.1)


@law
@pytest.mark.parametrize("dtype", HALVES)
def test_gradients_are_in_the_dtype_of_the_parameters(case: Case, dtype: str) -> None:
    computed = cast_case(case, "float32", dtype, dtype=dtype)
    stored = cast_case(case, dtype, "float32", param_dtype=dtype)
    for half in (computed, stored):
        run = lambda flags, half=half: gradients(half, **flags)
        _, (params, xs, carry) = jax.eval_shape(run, FLAGS)
        assert floats(params) == floats(half.params)
        assert floats(xs) == floats(half.xs)
        assert floats(carry) == floats(half.carry)


@law(covered=True)
@pytest.mark.parametrize("dtype", HALVES)
def test_gradients_in_half_precision_are_finite(case: Case, dtype: str) -> None:
    finite(gradients(cast_case(case, "float32", dtype, dtype=dtype), **FLAGS))
    finite(gradients(cast_case(case, dtype, dtype, param_dtype=dtype), **FLAGS))
