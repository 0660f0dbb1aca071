"""How linear cells are run through time: step by step, or their steps combined."""

import jax

from jaxrnn import checks
from jaxrnn.cell import Cell
from jaxrnn.linear import has_linear


def check_method(method: str, cell: Cell) -> None:
    """Raise unless it is a method, and one that the cell can be run by."""
    checks.one_of(("auto", "scan", "associative"), method=method)
    if method == "associative" and not has_linear(cell):
        raise ValueError(
            "`method='associative'` needs a linear cell, such as `LRU` or `MinGRU`, "
            f"got {cell}"
        )


def combines(method: str, steps: int) -> bool:
    """Whether steps are combined, where a cell's can be.

    "auto" does so on accelerators, where a step costs the start of a kernel however
    little it computes. On a CPU each round is a pass over memory, and a scan was faster
    (`benchmarks/scan_methods.py`).

    Example:
      >>> combines("associative", 100), combines("associative", 1)
      (True, False)
    """
    fast = method == "auto" and jax.default_backend() != "cpu"
    known = isinstance(steps, int)  # else a symbol of `jax.export`, without rounds
    return known and steps > 1 and (fast or method == "associative")
