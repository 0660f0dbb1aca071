"""`unroll` is the loop that its docstring shows, whatever is combined with whatever."""

import contextlib
import functools
import random
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from laws.case import Case, draw_case, everything, loop, polluted
from laws.harness import TILED, close, tiles
from laws.rows import ROWS, Row

SOME = [row for row in ROWS if row.representative or row.name == "lstm"]
case_of_size = functools.cache(draw_case)
Draw = Callable[[st.SearchStrategy], Any]


class Program(NamedTuple):
    """What decides which program is compiled; all the rest is values."""

    batch: tuple[int, ...]
    steps: int
    carry: bool  # given, or the initial one
    mask: bool
    reset: bool
    key: bool
    reverse: bool
    checkpoint: int | None
    collect: bool


CHOICES = {"batch": [(2,), (), (7, 2)], "steps": [8, TILED, 1], "checkpoint": [None, 3]}
CHOICES = {name: CHOICES.get(name, [False, True]) for name in Program._fields}


@pytest.mark.parametrize("row", SOME, ids=str)
@pytest.mark.parametrize(
    "programs, examples", [(4, 20), pytest.param(40, 200, marks=pytest.mark.exhaustive)]
)
def test_unroll_is_its_documented_loop(row: Row, programs: int, examples: int) -> None:
    """Programs take long to compile, so each is run with many values."""
    rng = random.Random(f"{row} {programs}")
    pick = lambda: Program(*map(rng.choice, CHOICES.values()))
    compare(row, [pick() for _ in range(programs)], examples)


def compare(row: Row, programs: list[Program], examples: int) -> None:
    @settings(max_examples=examples, suppress_health_check=[HealthCheck.too_slow])
    @given(st.sampled_from(programs), st.data())
    def unroll_is_the_loop(program, data):
        case = case_of_size(row, program.steps, program.batch)
        case = case if program.carry else case.but(carry=None)
        flags, plain = draw_flags(data.draw, program), draw_rest(data.draw, program)
        time_axis = data.draw(st.sampled_from([0, 1])) if program.batch else 0
        roads = {"checkpoint": program.checkpoint, "time_axis": time_axis}
        expected = loop(case, **flags, **plain)[: 2 + program.collect]
        if program.collect:
            roads["collect"] = everything
        with tiles() if program.steps == TILED else contextlib.nullcontext():
            close(unrolled(case, flags, **plain, **roads), expected)

    unroll_is_the_loop()


def draw_flags(draw: Draw, program: Program) -> dict[str, np.ndarray]:
    shape = (program.steps, *program.batch)
    flags = {}
    if program.reset:
        flags["reset"] = draw(arrays(bool, shape))
    if program.mask and draw(st.booleans()):
        flags["mask"] = draw(arrays(bool, shape))
    elif program.mask:
        lengths = st.integers(0, program.steps)
        steps = np.arange(program.steps).reshape(-1, *[1] * len(program.batch))
        flags["mask"] = steps < draw(arrays(int, program.batch, elements=lengths))
    return flags


def draw_rest(draw: Draw, program: Program) -> dict[str, Any]:
    if not program.key:
        return {"reverse": program.reverse}
    seed, start = draw(st.integers(0, 9)), draw(st.integers(0, 9))
    return {"reverse": program.reverse, "key": jax.random.key(seed), "start": start}


def unrolled(case: Case, flags: dict, *, time_axis: int, **options: Any) -> Any:
    """The result of `unroll`, time first, from inputs with garbage at padded steps."""
    if "mask" in flags:
        case = polluted(case, flags["mask"])
    turn = lambda tree: jax.tree.map(lambda a: np.moveaxis(a, 0, time_axis), tree)
    options |= {"xs": turn(case.xs), "time_axis": time_axis} | turn(flags)
    carry, *in_time = case.unroll(**options)
    return carry, *turn(in_time)
