"""A model at a glance: its layers, their outputs and their parameters."""

import dataclasses
from collections.abc import Iterator

import jax

from jaxrnn.cell import Cell
from jaxrnn.checks import kind
from jaxrnn.typing import PyTree, Size

Line = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Row:
    """One layer of a summary.

    Attributes:
      name: its place in the container around it, "" for the model itself.
      depth: how many containers are around it.
      cell: the layer.
      output_size: of one output of one row.
      params: shapes and dtypes by name, without those of the layers inside.
      is_container: whether rows of the layers inside follow.
    """

    name: str
    depth: int
    cell: Cell
    output_size: Size
    params: dict[str, jax.ShapeDtypeStruct]
    is_container: bool


@dataclasses.dataclass(frozen=True, repr=False)
class Summary:
    """What `summary` returns; it prints as a table.

    Attributes:
      rows: the layers, each after the container around it.
      count: of all parameters; what two layers share counts once.
      nbytes: of all parameters.
    """

    rows: tuple[Row, ...]
    count: int
    nbytes: int

    def __str__(self) -> str:
        lines: list[Line] = [("layer", "output", "parameter", "array", "count")]
        for row in self.rows:
            lines.extend(_lines(row))
        total = f"total  {self.count:,} parameters, {_readable(self.nbytes)}"
        return _table(lines, total)

    __repr__ = __str__


def summary(cell: Cell, input_size: Size | None = None) -> Summary:
    """The layers of a model. Only shapes are computed, no parameter is made.

    Args:
      cell: the model.
      input_size: of one input of one row; None for token ids.

    Returns:
      Its rows, the number of parameters and their bytes; `print` shows a table.

    Raises:
      ValueError, TypeError: where `cell.init` raises them, as for a missing
        `input_size`.

    Example:
      >>> import jaxrnn as jr
      >>> jr.summary(jr.Stack(jr.Embed(65, 16), jr.LSTM(128), jr.Dense(65)))
      layer               output  parameter         array               count
      -----------------------------------------------------------------------
      Stack                   65
        0  Embed(65, 16)      16  embedding         float32[65, 16]     1,040
        1  LSTM(128)         128  bias              float32[512]          512
                                  kernel            float32[16, 512]    8,192
                                  recurrent_kernel  float32[128, 512]  65,536
        2  Dense(65)          65  bias              float32[65]            65
                                  kernel            float32[128, 65]    8,320
      -----------------------------------------------------------------------
      total  83,665 parameters, 326.8 KiB
    """
    if not isinstance(cell, Cell):
        raise TypeError(f"`cell` must be a cell, got {cell!r}")
    params = jax.eval_shape(lambda key: cell.init(key, input_size), jax.random.key(0))
    rows = tuple(_rows("", 0, cell, params, input_size))
    leaves = jax.tree.leaves(params)
    nbytes = sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)
    return Summary(rows, sum(leaf.size for leaf in leaves), nbytes)


def _rows(
    name: str, depth: int, cell: Cell, params: PyTree, input_size: Size | None
) -> Iterator[Row]:
    layers = list(cell.layers(params, input_size))
    theirs = {id(leaf) for _, _, part, _ in layers for leaf in jax.tree.leaves(part)}
    own = {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in jax.tree.leaves_with_path(params)
        if id(leaf) not in theirs
    }
    yield Row(name, depth, cell, cell.output_size(input_size), own, bool(layers))
    for place, layer, part, size in layers:
        yield from _rows(place, depth + 1, layer, part, size)


def _lines(row: Row) -> Iterator[Line]:
    # The call that makes a container would repeat all that follows.
    call = type(row.cell).__name__ if row.is_container else repr(row.cell)
    layer = f"{'  ' * row.depth}{row.name}  {call}" if row.name else call
    first = (layer, str(row.output_size))
    arrays = [(n, kind(a), f"{a.size:,}") for n, a in row.params.items()]
    for array in arrays or [("", "", "")]:
        yield (*first, *array)
        first = ("", "")


def _table(lines: list[Line], last: str) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    right = (False, True, False, False, True)

    def shown(line: Line) -> str:
        cells = zip(line, widths, right, strict=True)
        return "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in cells).rstrip()

    rule = "-" * max(len(shown(line)) for line in lines)
    head, *body = map(shown, lines)
    return "\n".join([head, rule, *body, rule, last])


def _readable(nbytes: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if nbytes >= size:
            return f"{nbytes / size:,.1f} {unit}"
    return f"{nbytes} B"
