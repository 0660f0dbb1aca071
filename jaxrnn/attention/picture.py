"""Alignments to look at: as a figure, and as text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxrnn.typing import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHADES = " ░▒▓█"
_VISIBLE = {" ": "␣", "\n": "⏎", "\t": "⇥"}


def heat_map(
    alignments: Array, source: Sequence[str], target: Sequence[str]
) -> "Figure":
    """A picture of where each target symbol came from: dark is much.

    Args:
      alignments: `[T, S]`, weights in [0, 1], of one row; there may be more steps and
        positions than symbols, as padding has them.
      source: S symbols, written across: a text, or a list of words.
      target: T symbols, written down.

    Returns:
      A matplotlib `Figure`, which belongs to no window: `figure.savefig("a.png")`.

    Raises:
      ValueError: for shapes that do not fit, or nothing to show.
      ImportError: without matplotlib.

    Example:
      >>> figure = heat_map(np.eye(3), "abc", "xyz")
      >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
      ['a', 'b', 'c']
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    weights = _cut(alignments, source, target)
    words = max(map(len, source)) > 1
    cell = 0.26  # inches: room for a letter of nine points
    room = 0.085 * max(map(len, [*source, *target])) + 0.5
    width, height = (cell * len(part) + room for part in (source, target))
    figure = Figure(figsize=(width + 0.6, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    image = axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    axes.set_xticks(range(len(source)), list(map(_visible, source)))
    axes.set_yticks(range(len(target)), list(map(_visible, target)))
    axes.tick_params(labelsize=9, length=0, labeltop=True, labelbottom=False)
    axes.tick_params("x", labelrotation=90 if words else 0)
    axes.set_xticks(np.arange(len(source) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(target) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#e5e5e5", linewidth=0.5)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=16, ticks=[0, 0.5, 1])
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, length=0)
    return figure


def heat_text(alignments: Array, source: Sequence[str], target: Sequence[str]) -> str:
    """The same for a terminal: the source across, the target down.

    Args:
      alignments: `[T, S]`, weights in [0, 1], as for `heat_map`.
      source: S symbols. Words that are longer than a letter stand upright.
      target: T symbols.

    Raises:
      ValueError: for shapes that do not fit, or nothing to show.

    Example:
      >>> print(heat_text(np.array([[0.9, 0.1], [0.3, 0.7]]), ["ab", "c"], "xy"))
        a c
        b
      x █ ░
      y ░ ▓
    """
    weights = _cut(alignments, source, target)
    margin = max(map(len, target))
    height = max(map(len, source))
    upright = [[_visible(s)[i : i + 1] or " " for s in source] for i in range(height)]
    lines = [" " * margin + " " + " ".join(letters) for letters in upright]
    most = len(SHADES) - 1
    for symbol, row in zip(target, weights, strict=True):
        levels = np.clip(np.rint(row * most), row >= 0.05, most).astype(int)
        shown = " ".join(SHADES[level] for level in levels)
        lines.append(f"{_visible(symbol):>{margin}} {shown}")
    return "\n".join(line.rstrip() for line in lines)


def _cut(alignments: Array, source: Sequence[str], target: Sequence[str]) -> np.ndarray:
    """The weights of the symbols that there are."""
    weights = np.asarray(alignments, np.float64)
    if weights.ndim != 2:
        raise ValueError(
            f"`alignments` must have shape [T, S], of one row, got {weights.shape}"
        )
    for name, symbols, size in zip(
        ("target", "source"), (target, source), weights.shape, strict=True
    ):
        if not 0 < len(symbols) <= size:
            raise ValueError(
                f"`{name}` must have 1 to {size} symbols, as `alignments` has shape "
                f"{weights.shape}, got {len(symbols)}"
            )
    return weights[: len(target), : len(source)]


def _visible(symbol: str) -> str:
    """The symbol, blanks as marks."""
    return _VISIBLE.get(symbol, symbol)
