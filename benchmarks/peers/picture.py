"""A picture of the race: a line a row, a dot a library."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.contest import OWN, Result
from benchmarks.peers.libraries import LIBRARIES
from benchmarks.peers.report import MODES

TICKS = (0.4, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4, 6, 8, 12, 16)


def draw(path: str | os.PathLike, results: Sequence[Result], *, title: str) -> None:
    """Draw how many times jaxrnn's time each library takes, forwards and training."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((12, 1.9 + 0.25 * len(results)), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(MODES), sharex=True, sharey=True)
    for axes, mode in zip(panels, MODES, strict=True):
        _dots(axes, results, mode)
    _rows(panels[0], results)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=9, frameon=False)
    figure.suptitle(title, fontsize=9, color="#636363")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _dots(axes: Any, results: Sequence[Result], mode: str) -> None:
    times = [result.times(mode) for result in results]
    for number, library in enumerate(one.name for one in LIBRARIES if one != OWN):
        at = [place for place, own in enumerate(times) if library in own]
        ratios = [times[place][library] / times[place][OWN.name] for place in at]
        style = {"color": f"C{number}", "alpha": 0.8, "markersize": 5.5}
        shown = np.clip(ratios, TICKS[0], TICKS[-1])
        axes.plot(shown, at, "o", label=library if at else None, **style)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlim(0.93 * TICKS[0], 1.07 * TICKS[-1])
    axes.set_xticks(TICKS, [f"{ratio:g}" for ratio in TICKS], fontsize=8)
    axes.set_xticks([], minor=True)
    told = f"(right of 1: jaxrnn is faster; beyond {TICKS[-1]}: drawn at {TICKS[-1]})"
    axes.set_title(mode)
    axes.set_xlabel(f"time / jaxrnn's time {told}", fontsize=9)
    axes.grid(axis="x", alpha=0.25)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _rows(axes: Any, results: Sequence[Result]) -> None:
    """Names at the left, and a line between networks."""
    axes.set_yticks(range(len(results)), [str(r.row) for r in results], fontsize=8)
    axes.set_ylim(len(results) - 0.5, -0.5)
    for panel in axes.figure.axes:
        panel.tick_params(axis="y", length=0)
        for place in range(len(results)):
            panel.axhline(place, color="#f0f0f0", linewidth=7, zorder=0)
        for place in range(1, len(results)):
            if results[place].row.network != results[place - 1].row.network:
                panel.axhline(place - 0.5, color="#969696", linewidth=0.8)
