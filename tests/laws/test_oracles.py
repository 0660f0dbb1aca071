"""The cells compute what their papers and docstrings say."""

import jax
import numpy as np

from laws.case import Case
from laws.harness import BATCH, HOLES, STEPS, close, law
from laws.oracles import ORACLES
from laws.rows import ROWS, Row


def oracle(row: Row) -> str | None:
    name = type(row.cell).__name__
    return None if name in ORACLES else f"{name} has no equations in oracles.py"


@law(cheap=True, needs=(oracle,))
def test_a_cell_is_its_equations(case: Case) -> None:
    """Row by row and step by step; padding holds the carry and puts out zeros."""
    equations = ORACLES[type(case.cell).__name__]
    params = jax.tree.map(np.asarray, case.params)
    carries, outputs = [], []
    for row in range(BATCH):
        carry = jax.tree.map(lambda a, row=row: np.asarray(a)[row], case.carry)
        for t in range(STEPS):
            following, y = equations(case.cell, params, carry, case.xs[t, row])
            carry = following if HOLES[t, row] else carry
            outputs.append(y if HOLES[t, row] else np.zeros_like(y))
        carries.append(carry)
    carry = jax.tree.map(lambda *rows: np.stack(rows), *carries)
    ys = np.stack(outputs).reshape(BATCH, STEPS, *y.shape).swapaxes(0, 1)
    close(case.unroll(mask=HOLES), (carry, ys))


def test_every_oracle_meets_a_row() -> None:
    """Else a misspelt name would leave a cell without equations, and none would see."""
    assert set(ORACLES) <= {type(row.cell).__name__ for row in ROWS}
