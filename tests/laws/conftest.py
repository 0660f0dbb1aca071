"""What every law gets: the case of its row."""

import pytest

from jaxrnn.unroll import layout
from laws.case import Case, case_of
from laws.rows import Row


@pytest.fixture
def case(row: Row) -> Case:
    return case_of(row)


@pytest.fixture(autouse=True)
def columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of a batch run as columns: no layout rewrites a step more.

    Cases without a batch, or with two axes of it, run as they were written.
    """
    monkeypatch.setattr(layout, "_CACHE_BYTES", 0)
