"""A cell is a value: it prints, compares, hashes and travels as one."""

import dataclasses
import json
import pathlib
import re

import pytest

import jaxrnn as jr
from jaxrnn.spec import Spec
from laws.case import Case
from laws.harness import HOLES, law
from laws.rows import ROWS, Row


@law(cheap=True)
def test_a_cell_prints_as_the_call_that_makes_it(row: Row) -> None:
    names = vars(jr) | vars(jr.initializers) | vars(jr.attention) | dict(row.names)
    assert eval(repr(row.cell), names) == row.cell


@law(cheap=True)
def test_a_cell_travels_as_json(row: Row) -> None:
    text = json.dumps(row.cell.to_json())
    known = [value for value in row.names.values() if not isinstance(value, type)]
    assert Spec.from_json(json.loads(text), known=known) == row.cell


@law(cheap=True)
def test_a_cell_hashes_by_value(row: Row) -> None:
    copy = row.cell.replace()
    assert copy is not row.cell
    assert copy == row.cell
    assert hash(copy) == hash(row.cell)
    assert row.cell != row.cell.replace(dtype="float16")


@law(cheap=True)
def test_a_cell_is_frozen(row: Row) -> None:
    for field in dataclasses.fields(row.cell):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(row.cell, field.name, None)


@law(cheap=True)
def test_output_size_is_that_of_an_output(row: Row, case: Case) -> None:
    _, ys = case.unroll(mask=HOLES)
    size = row.cell.output_size(row.input_size)
    assert ys.shape[2:] == (size if isinstance(size, tuple) else (size,))


def test_exemptions_are_from_laws_that_exist() -> None:
    files = pathlib.Path(__file__).parent.glob("test_*.py")
    defined = re.findall(
        r"^def test_(\w+)", "".join(f.read_text() for f in files), re.M
    )
    assert {law for row in ROWS for law in row.exempt} <= set(defined)
