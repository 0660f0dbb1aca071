"""Linear cells give the same numbers with their steps combined as step by step."""

from typing import Any

import numpy as np

from jaxrnn.linear import has_linear
from laws.case import Case, everything
from laws.gradients import gradients
from laws.harness import HOLES, RESETS, close, law
from laws.rows import Row
from laws.test_dtypes import cast, cast_case

FLAGS = {"mask": HOLES, "reset": RESETS}


def linear(row: Row) -> str | None:
    return None if has_linear(row.cell) else "no cell in it is linear"


def both(case: Case, **options: Any) -> tuple[Any, Any]:
    """What `unroll` gives by either method."""
    return tuple(case.unroll(method=m, **options) for m in ("associative", "scan"))


@law(personal=True, needs=(linear,))
def test_combined_steps_are_a_scan(case: Case) -> None:
    close(*both(case))
    for reverse in (False, True):
        close(*both(case, reverse=reverse, collect=everything, **FLAGS))


@law(personal=True, needs=(linear,))
def test_gradients_of_combined_steps_are_those_of_a_scan(case: Case) -> None:
    for reverse in (False, True):
        associative, scan = (
            gradients(case, static=(("method", m), ("reverse", reverse)), **FLAGS)
            for m in ("associative", "scan")
        )
        close(associative, scan)


@law(needs=(linear,))
def test_combined_steps_in_chunks_are_a_scan(case: Case) -> None:
    chunked = case.unroll(method="associative", checkpoint=3, **FLAGS)
    close(chunked, case.unroll(method="scan", **FLAGS))


@law(needs=(linear,))
def test_combined_steps_are_near_a_scan_in_float32(case: Case) -> None:
    single = cast_case(case, "float32", "float32")
    wide = [cast(out, "float64") for out in both(single, **FLAGS)]
    close(*wide, 1e-4)


@law(needs=(linear,))
def test_combined_steps_begin_at_each_rows_own_step(case: Case) -> None:
    """A row whose steps are all padding keeps the carry that it was given."""
    mask = HOLES & (np.arange(HOLES.shape[1]) > 0)
    close(*both(case, mask=mask))
