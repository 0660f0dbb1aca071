"""The table of cells says what the cells are."""

from laws import cells_table
from laws.rows import ROWS


def test_the_table_is_up_to_date():
    written = cells_table.PATH.read_text()
    assert written == cells_table.text(), "cd tests && python -m laws.cells_table"


def test_every_recurrent_cell_has_equations_and_a_source():
    for row in filter(cells_table.recurrent, ROWS):
        documentation = type(row.cell).__doc__
        assert cells_table.source(documentation), row
        assert all(cells_table.equations(documentation)), row
