"""The table of cells, from the rows of the laws.

cd tests && python -m laws.cells_table
"""

import inspect
import math
import re
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.extend.core import Literal

import jaxrnn as jr
from jaxrnn.unroll.taken_apart import dissolved
from laws.oracles import ORACLES
from laws.rows import ROWS, Row

PATH = Path(jr.__file__).parent / "cells" / "README.md"
INPUT_SIZE, HIDDEN_SIZE = 64, 128
HEAD = f"""# The cells

Every recurrent cell of `jaxrnn.cells`, from the rows that the laws run on
(`tests/laws/rows.py`), written by `cd tests && python -m laws.cells_table`.
A prime marks the step before, `s` the logistic function, `*` the element-wise product.

- *parameters*: of the cell as it stands here, but at {INPUT_SIZE} inputs and a hidden
  size of {HIDDEN_SIZE} where it has one.
- *products*: matrix products with the carry that one step makes one after another; all
  others are made for every step at once.
- *proven equal to*: beside the laws, which every cell obeys, at random weights, biases
  and states, in float64.

| cell | equations | parameters | products | source | proven equal to |
|---|---|---|---|---|---|
"""


def recurrent(row: Row) -> bool:
    return type(row.cell).__module__.startswith("jaxrnn.cells") and row.cell.has_memory


def text() -> str:
    """The whole page: a class's rows stand together, its equations in the first."""
    rows = {repr(row.cell): row for row in ROWS if recurrent(row)}
    families = dict.fromkeys(type(row.cell) for row in rows.values())
    lines = []
    for family in families:
        own = [row for row in rows.values() if type(row.cell) is family]
        lines += [_line(row, full=row is own[0]) for row in own]
    return HEAD + "".join(lines)


def _line(row: Row, *, full: bool) -> str:
    documentation = inspect.getdoc(type(row.cell)) or ""
    oracle = type(row.cell).__name__ in ORACLES
    columns = [
        f"`{row.cell!r}`",
        "<br>".join(f"`{line}`" for line in equations(documentation)),
        f"{parameters(row):,}",
        str(sequential_products(row)),
        source(documentation),
        "a NumPy loop of its equations" if oracle else "the laws alone",
    ]
    if not full:
        columns[1] = columns[4] = "as above"
    return f"| {' | '.join(columns)} |\n"


def equations(documentation: str) -> list[str]:
    """The first literal block, or the equation of the first line."""
    block = re.search(r"::\n\n((?:  .*\n|\n)+)", documentation)
    if block is None:
        return [documentation.splitlines()[0].partition(": ")[2].rstrip(".")]
    lines = [re.split(r"\s{3,}", line.strip())[0] for line in block[1].splitlines()]
    return [line.replace("|", r"\|") for line in lines if line]


def source(documentation: str) -> str:
    block = re.search(r"References:\n((?:  .*\n?)+)", documentation)
    return " ".join(block[1].split()) if block else ""


def parameters(row: Row) -> int:
    cell, input_size = row.cell, row.input_size
    if hasattr(cell, "hidden_size") and isinstance(input_size, int):
        cell, input_size = cell.replace(hidden_size=HIDDEN_SIZE), INPUT_SIZE
    init = lambda key: cell.init(key, input_size)
    leaves = jax.tree.leaves(jax.eval_shape(init, jax.random.key(0)))
    return sum(math.prod(leaf.shape) for leaf in leaves)


def sequential_products(row: Row) -> int:
    """The longest chain of products in a step, each of which reads the one before."""
    cell, rng = row.cell, np.random.default_rng(0)
    size = row.input_size if isinstance(row.input_size, tuple) else (row.input_size,)
    x = jax.ShapeDtypeStruct((2, *size), np.float32)

    def begin(params: Any, x: Any) -> Any:
        context = None if row.context is None else row.context(rng, (2,))
        ready = cell.prepare(params, input_shape=x.shape, context=context)
        return ready, cell.initial_carry(ready, (2,)), cell.project(ready, x)

    ready, carry, z = jax.eval_shape(begin, row.params, x)
    closed = jax.make_jaxpr(dissolved(cell.recur))(ready, carry, z)
    first = len(jax.tree.leaves(ready))
    count = len(jax.tree.leaves(carry))
    carried = closed.jaxpr.invars[first : first + count]
    depths: dict[Any, int] = dict.fromkeys(carried, 0)
    for eqn in closed.jaxpr.eqns:
        values = [v for v in eqn.invars if not isinstance(v, Literal)]
        reads = [depths[v] for v in values if v in depths]
        if reads:
            deeper = eqn.primitive.name == "dot_general"
            depths |= dict.fromkeys(eqn.outvars, max(reads) + deeper)
    return max(depths.values(), default=0)


if __name__ == "__main__":
    PATH.write_text(text())
