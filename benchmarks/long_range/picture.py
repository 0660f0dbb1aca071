"""A picture of how each cell learns each task."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.long_range.training import Outcome


def draw(path: str | os.PathLike, outcomes: Iterable[Outcome], *, title: str) -> None:
    """Draw what was measured over the updates: a panel a task, a line a cell."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels: dict[Any, list[Outcome]] = {}
    for outcome in outcomes:
        panels.setdefault(outcome.experiment[:2], []).append(outcome)
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    size = (6.2 * columns, 0.6 + 3.9 * rows)
    figure = Figure(size, dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, own in zip(grid, panels.values(), strict=False):
        _panel(axes, own)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    figure.suptitle(title, fontsize=9, color="#636363")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _panel(axes: Any, outcomes: Sequence[Outcome]) -> None:
    task, steps = outcomes[0].task, outcomes[0].experiment.steps
    for number, outcome in enumerate(outcomes):
        color, least = f"C{number}", 1e-4
        curves = np.maximum(np.nan_to_num(outcome.curves, nan=np.inf), least)
        for curve in curves:
            axes.plot(outcome.updates, curve, color=color, alpha=0.25, linewidth=0.8)
        middle = np.median(curves, axis=0)
        label = outcome.experiment.learner.replace("+", " + ")
        axes.plot(outcome.updates, middle, color=color, linewidth=1.8, label=label)
        axes.plot(outcome.updates[-1], middle[-1], "o", color=color, markersize=4)
    baseline, bar = task.baseline(steps), task.solved(steps)
    axes.axhline(baseline, color="black", linestyle="--", linewidth=1)
    axes.axhline(bar, color="black", linestyle=":", linewidth=1)
    right = {"xytext": (-2, 2), "textcoords": "offset points", "ha": "right"}
    right |= {"xycoords": axes.get_yaxis_transform(), "fontsize": 7}
    axes.annotate(f"remembers nothing: {baseline:.3f}", (1, baseline), **right)
    axes.annotate(f"solved: {bar:.3f}", (1, bar), **right)
    axes.set_yscale("log")
    axes.set_ylim(bar / 4, 3 * baseline)
    axes.set_title(f"{task.title}, T = {steps}")
    axes.set_xlabel("updates")
    axes.set_ylabel(task.unit)
    beside = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
    axes.legend(fontsize=8, frameon=False, **beside)
    axes.spines[["top", "right"]].set_visible(False)
