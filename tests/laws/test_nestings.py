"""Whatever is put around whatever, three deep, is still a cell like any other."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import jax
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import jaxrnn as jr
from jaxrnn.spec import Spec
from laws.case import Case, draw_case, loop, polluted
from laws.gradients import gradients, plain_scan
from laws.harness import BATCH, HOLES, RESETS, STEPS, close, finite
from laws.rows import Row, memory

SIZE = 3  # of inputs and outputs alike, so that everything fits around everything
MEMORY = 6
FLAGS = {"mask": HOLES, "reset": RESETS}
Draw = Callable[[st.SearchStrategy], Any]

rates = st.sampled_from([0.0, 0.4, 1.0])
cells = st.sampled_from([jr.LSTM(SIZE), jr.GRU(SIZE), jr.Elman(SIZE)])


@dataclasses.dataclass(frozen=True)
class Nested:
    """A cell, and what decides what may be put around it.

    Attributes:
      cell: its inputs and outputs have the size `SIZE`.
      bare: its output is its hidden state.
      bypassed: its inputs are added to its outputs, so they must be of one size.
      attends: it needs a memory, so that its first carry is not known beforehand.
    """

    cell: jr.Cell
    bare: bool = True
    bypassed: bool = False
    attends: bool = False


KEEPING = {
    "zoneout": lambda draw, cell: jr.Zoneout(cell, draw(rates), draw(rates)),
    "state": lambda draw, cell: jr.VariationalDropout(cell, state=draw(rates)),
    "skip": lambda draw, cell: jr.SkipThroughTime(cell, draw(st.integers(1, 9))),
    "attend": lambda draw, cell: jr.Attend(cell, memory_size=MEMORY),
    "learned": lambda draw, cell: jr.LearnedCarry(cell),
    "weight_drop": lambda draw, cell: jr.WeightDrop(cell, draw(rates)),
    "weight_noise": lambda draw, cell: jr.WeightNoise(cell, draw(rates)),
    "below": lambda draw, cell: jr.Stack(cell, jr.Dropout(0.4), draw(cells)),
    "above": lambda draw, cell: jr.Stack(jr.Dropout(0.4), cell),
}
CHANGING = {
    "residual": lambda draw, cell: jr.Residual(cell),
    "highway": lambda draw, cell: jr.Highway(cell),
    "in_and_out": lambda draw, cell: jr.VariationalDropout(
        cell, inputs=draw(rates), outputs=draw(rates)
    ),
    "both": lambda draw, cell: jr.Bidirectional(cell, merge="sum"),
    "read_out": lambda draw, cell: jr.Stack(cell, jr.Dense(SIZE)),
}


def wrap(draw: Draw, inner: Nested) -> Nested:
    """Anything that may be put around a cell, around it."""
    misfits = set()
    if not inner.cell.causal:
        misfits |= {"zoneout", "state", "skip", "attend"}
    if not inner.bare:
        misfits |= {"zoneout"}
    if inner.bypassed:
        misfits |= {"attend"}
    if inner.attends:
        misfits |= {"skip", "attend", "learned"}
    options = KEEPING | CHANGING
    name = draw(st.sampled_from(sorted(options.keys() - misfits)))
    return Nested(
        options[name](draw, inner.cell),
        bare=name == "below" or (inner.bare and name in KEEPING),
        bypassed=name in ("residual", "highway") or inner.bypassed,
        attends=name == "attend" or inner.attends,
    )


@st.composite
def nestings(draw: Draw, depth: int = 3) -> jr.Cell:
    nested = Nested(draw(cells))
    for _ in range(depth):
        nested = wrap(draw, nested)
    return nested.cell


def check(cell: jr.Cell, data: st.DataObject, thorough: bool) -> None:
    case = draw_case(Row("nested", cell, SIZE, context=memory(MEMORY)), STEPS, (BATCH,))
    key = data.draw(st.sampled_from([None, jax.random.key(1)]), label="key")
    options = FLAGS | {"key": key, "reverse": data.draw(st.booleans(), label="reverse")}
    size = data.draw(st.sampled_from([None, 3]), label="checkpoint")
    run = polluted(case, HOLES).unroll(checkpoint=size, **options)
    if cell.causal:
        close(run, loop(case, **options)[:2])
    else:
        close(run, case.unroll(**options))
    finite(run)
    if thorough:
        check_gradients(case)


def check_gradients(case: Case) -> None:
    slopes = gradients(case, **FLAGS)
    finite(slopes)
    if case.cell.causal:
        close(slopes, gradients(case, plain_scan, **FLAGS))


@pytest.mark.parametrize(
    "examples, thorough", [(5, False), pytest.param(30, True, marks=pytest.mark.laws)]
)
def test_a_nesting_is_its_loop(examples: int, thorough: bool) -> None:
    @settings(max_examples=examples, suppress_health_check=[HealthCheck.too_slow])
    @given(nestings(), st.data())
    def a_nesting_is_its_loop(cell, data):
        check(cell, data, thorough)

    a_nesting_is_its_loop()


@given(nestings())
def test_a_nesting_prints_and_travels(cell: jr.Cell) -> None:
    assert eval(repr(cell), vars(jr) | vars(jr.initializers)) == cell
    assert Spec.from_json(json.loads(json.dumps(cell.to_json()))) == cell
