"""What every law gets: the case of its row."""

import pytest

from laws.case import Case, case_of
from laws.rows import Row


@pytest.fixture
def case(row: Row) -> Case:
    return case_of(row)
