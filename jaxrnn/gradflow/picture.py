"""The picture of a `GradientFlow`: a row of panels for each layer."""

import textwrap
from typing import TYPE_CHECKING

from jaxrnn.gradflow.panels import PANELS
from jaxrnn.gradflow.verdict import verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jaxrnn.gradflow.flow import GradientFlow

_MOST_LAYERS = 8
_WIDTH, _HEIGHT, _LINE = 3.6, 3.0, 0.2  # inches: of a panel, and of a line of words
_LETTERS = 40  # that fit across a panel


def picture(flow: "GradientFlow") -> "Figure":
    """Draw what `measure` found: the verdict, and below it a row of panels a layer.

    Args:
      flow: of any model; the first eight layers with floating states are drawn.

    Returns:
      A matplotlib `Figure`, which belongs to no window: `figure.savefig("flow.png")`.

    Raises:
      ImportError: without matplotlib.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    known = {n: a for n, a in flow.layers.items() if a.norms}
    layers = dict(list(known.items())[:_MOST_LAYERS])
    panels = [p for p in PANELS if any(map(p.has, layers.values()))]
    columns = max(len(panels), 2)
    lines = [textwrap.fill(s, _LETTERS * columns) for s in verdict(flow).splitlines()]
    words = "\n".join(lines)
    height = _HEIGHT * len(layers) + _LINE * (2 + words.count("\n"))
    size = (_WIDTH * columns, height)
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(words, x=0.01, ha="left", fontsize=11)
    if not panels:
        return figure
    grid = figure.subplots(len(layers), len(panels), squeeze=False)
    for row, (name, layer) in zip(grid, layers.items(), strict=True):
        for axes, panel in zip(row, panels, strict=True):
            axes.set_title(panel.title, fontsize=10, loc="left")
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(labelsize=8)
            if panel.has(layer):
                panel.draw(axes, layer)
            else:
                axes.set_axis_off()
        label = row[0].get_ylabel()
        row[0].set_ylabel(f"{name}\n\n{label}", fontsize=9)
    return figure
