"""What a law is made of: the rows it runs on, and what it says when it is broken."""

import contextlib
import functools
import zlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import jax
import numpy as np
import pytest

from jaxrnn.unroll import run
from laws.rows import ROWS, Row

STEPS, BATCH = 7, 8  # unlike any size in the rows; 8 rows lie on 8 devices
LENGTHS = np.array([7, 3, 0, 1, 6, 7, 2, 5])

_flags = np.random.default_rng(0)
BY_LENGTHS = np.arange(STEPS)[:, None] < LENGTHS
LEFT_PADDED = BY_LENGTHS[::-1]
HOLES = _flags.random((STEPS, BATCH)) < 0.7
RESETS = _flags.random((STEPS, BATCH)) < 0.3

Condition = Callable[[Row], str | None]


SHARE = 80  # one pair of a law and a row in so many is not left to `-m exhaustive`


def law(
    function: Callable[..., None] | None = None,
    *,
    cheap: bool = False,
    covered: bool = False,
    personal: bool = False,
    dear: bool = False,
    needs: tuple[Condition, ...] = (),
) -> Any:
    """A test of every row: `def test_this_holds(case): ...`.

    The default run takes the representative rows. Those marked `laws` add every row of
    the cheap and the personal laws and a fixed share of all other pairs, so that each
    law meets many rows and each row many laws; `exhaustive` are the rest.

    Args:
      function: the law.
      cheap: it needs no program but the one that the cheap laws of a row share.
      covered: test_any_combination.py and the other laws imply it, so that by default
        it runs on no row.
      personal: how a cell is written may break it; else it is the engine that keeps it.
      dear: it takes so long that the default run leaves it to those marked `laws`.
      needs: conditions on a row; each returns None, or why the law says nothing of it.
    """
    if function is None:
        return functools.partial(
            law,
            cheap=cheap,
            covered=covered,
            personal=personal,
            dear=dear,
            needs=needs,
        )
    name = function.__name__.removeprefix("test_")
    params = []
    for row in ROWS:
        reasons = [row.exempt.get(name), *(condition(row) for condition in needs)]
        reason = next(filter(None, reasons), None)
        marks = [pytest.mark.skip(reason=f"{row}: {reason}")] if reason else []
        if covered or dear or not row.representative:
            drawn = zlib.crc32(f"{name} of {row}".encode()) % SHARE == 0
            kept = cheap or personal or drawn or (dear and row.representative)
            marks.append(pytest.mark.laws if kept else pytest.mark.exhaustive)
        params.append(pytest.param(row, id=row.name, marks=marks))
    return pytest.mark.parametrize("row", params, scope="session")(function)


def stepping(row: Row) -> str | None:
    return None if row.cell.causal else "it reads later inputs, so it has no steps"


def memory(row: Row) -> str | None:
    return None if jax.tree.leaves(row.carry) else "it has no memory"


def parameters(row: Row) -> str | None:
    return None if jax.tree.leaves(row.params) else "it has no parameters"


def vector_inputs(row: Row) -> str | None:
    ids = row.cell.input_ndim == 0
    return "its inputs are token ids" if ids else None


def close(got: Any, expected: Any, tolerance: float = 1e-12) -> None:
    """The same tree, shapes and dtypes, and the same numbers up to rounding."""
    for path, a, b in _paired(got, expected):
        a, b = (leaf.astype(np.float64) for leaf in (a, b))
        np.testing.assert_allclose(a, b, tolerance, tolerance, err_msg=path)


def same_bits(got: Any, expected: Any) -> None:
    """The same tree, shapes and dtypes, and the same bits."""
    for path, a, b in _paired(got, expected):
        if a.tobytes() != b.tobytes():
            np.testing.assert_array_equal(a, b, err_msg=path)
            raise AssertionError(f"{path}: equal numbers, other bits, as 0.0 and -0.0")


def finite(tree: Any, bound: float = np.inf) -> None:
    """All numbers are finite, and none is larger than `bound`."""
    for path, leaf in jax.tree.leaves_with_path(tree):
        size = np.max(np.abs(np.asarray(leaf, np.float64)), initial=0)
        assert np.isfinite(size), jax.tree_util.keystr(path)
        assert size <= bound, f"{jax.tree_util.keystr(path)}: {size}"


def _paired(got: Any, expected: Any) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    pairs = zip(jax.tree.leaves_with_path(got), jax.tree.leaves(expected), strict=True)
    for (path, a), b in pairs:
        name = f"at {jax.tree_util.keystr(path)}"
        a, b = np.asarray(a), np.asarray(b)
        assert (a.shape, a.dtype) == (b.shape, b.dtype), name
        yield name, a, b


TILED = 6  # the number of steps of all tests that run tile by tile, and of no others


@contextlib.contextmanager
def tiles(size: int = 4) -> Iterator[None]:
    """Programs that are compiled in the block run so many steps at a time.

    The engine does so by itself where a sequence is long. Compiled programs stay as
    they are, so a number of steps must always or never be run in tiles.
    """
    with mock.patch.object(run, "tile_size", lambda zs, rows: size):
        yield


@contextlib.contextmanager
def compilations() -> Iterator[list[str]]:
    """The names of the programs that XLA compiles in the block."""
    names: list[str] = []

    def listen(event: str, duration: float, **about: Any) -> None:
        if event.endswith("backend_compile_duration"):
            names.append(about.get("fun_name", "?"))

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield names
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
