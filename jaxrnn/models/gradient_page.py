"""The page of a `GradientLog`: how gradients flowed while a model trained."""

import os
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

_COLOURS = ("#3182bd", "#e6550d", "#31a354", "#756bb1", "#636363")
_GREY = "#636363"
_MOST_LAYERS = 6
_LEAST = 1e-8

Rows = list[dict[str, Any]]


def draw(path: str | os.PathLike, rows: Rows) -> None:
    """Draw a row a layer, and one of the updates.

    Args:
      path: of the picture.
      rows: what `GradientLog` wrote, at least one.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    last = rows[-1]
    names = [name for name, layer in last["layers"].items() if layer][:_MOST_LAYERS]
    lines = [f"After {last['step']} steps", *last["verdict"].splitlines()]
    words = "\n".join(textwrap.fill(line, 130) for line in lines)
    height = 2.9 * (len(names) + 1) + 0.2 * (words.count("\n") + 2)
    figure = Figure(figsize=(12, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(words, x=0.01, ha="left", fontsize=11)
    grid = figure.subplots(len(names) + 1, 3, squeeze=False)
    for line, name in zip(grid, names, strict=False):
        layers = [(row["step"], row["layers"].get(name) or {}) for row in rows]
        _reach(figure, line[0], layers)
        _norms(figure, line[1], layers)
        _gates(line[2], layers)
        line[0].set_ylabel(f"{name}\n\nsteps back", fontsize=9)
    _clips(grid[-1][0], rows)
    _updates(grid[-1][1], rows)
    _rates(grid[-1][2], rows, names)
    for axes in grid.ravel():
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        axes.set_xlabel("training step", fontsize=9)
    temporary = Path(path).with_suffix(".tmp.png")
    figure.savefig(temporary)
    os.replace(temporary, path)


def _map(
    figure: Any, axes: Any, steps: list[int], columns: list[Any], limits: tuple
) -> None:
    """Columns of numbers over training, their powers of ten as colours."""
    length = max(map(len, columns))
    values = np.full((length, len(columns)), np.nan)
    for place, column in enumerate(columns):
        values[: len(column), place] = np.array(column, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        powers = np.log10(np.maximum(values, _LEAST))
    low, high, colours = limits
    edges = [*steps, 2 * steps[-1] - (steps[-2] if len(steps) > 1 else 0)]
    found = np.isfinite(powers)
    low = powers[found].min() if low is None and found.any() else low
    high = powers[found].max() if high is None and found.any() else high
    mesh = axes.pcolormesh(
        edges, np.arange(length + 1), powers, cmap=colours, vmin=low, vmax=high
    )
    bar = figure.colorbar(mesh, ax=axes, aspect=24)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, length=0)
    bar.ax.yaxis.set_major_formatter(lambda power, _: f"$10^{{{power:g}}}$")


def _reach(figure: Any, axes: Any, layers: list) -> None:
    axes.set_title("What is left of an error signal", fontsize=10, loc="left")
    found = [(step, layer["reach"]) for step, layer in layers if layer.get("reach")]
    if found:
        steps, columns = zip(*found, strict=True)
        _map(figure, axes, list(steps), list(columns), (-4, 4, "RdBu"))


def _norms(figure: Any, axes: Any, layers: list) -> None:
    found = [(step, layer["norms"]) for step, layer in layers if layer.get("norms")]
    if not found:
        return
    name = next(iter(found[0][1]))
    axes.set_title(f"Norm of dL/d {name} at each step", fontsize=10, loc="left")
    columns = [norms[name] for _, norms in found]
    _map(figure, axes, [s for s, _ in found], columns, (None, None, "viridis"))
    axes.set_ylabel("step t", fontsize=9)


def _gates(axes: Any, layers: list) -> None:
    axes.set_title("Gates that are closed (-), or open (--)", fontsize=10, loc="left")
    names = list(layers[-1][1].get("gates", {}))
    if not names:
        axes.set_axis_off()
        return
    steps = [step for step, _ in layers]
    for name, colour in zip(names, _COLOURS, strict=False):
        both = [
            layer.get("gates", {}).get(name, (np.nan, np.nan)) for _, layer in layers
        ]
        closed, opened = 100 * np.array(both, np.float64).T
        axes.plot(steps, closed, color=colour, label=name)
        axes.plot(steps, opened, "--", color=colour)
    axes.set_ylim(0)
    axes.set_ylabel("% of activations", fontsize=9)
    axes.legend(frameon=False, fontsize=8)


def _clips(axes: Any, rows: Rows) -> None:
    known = any(row["clipped"] is not None for row in rows)
    title = "Gradient norm, and steps that were clipped" if known else "Gradient norm"
    axes.set_title(title, fontsize=10, loc="left")
    steps = [row["step"] for row in rows]
    norms = np.array([row["gradient_norm"] for row in rows], np.float64)
    axes.plot(steps, norms, color=_COLOURS[0])
    axes.set_yscale("log")
    axes.set_ylabel("norm", fontsize=9, color=_COLOURS[0])
    if not known:
        return
    other = axes.twinx()
    clipped = np.array([row["clipped"] for row in rows], np.float64)
    other.plot(steps, 100 * clipped, color=_COLOURS[1])
    other.set_ylim(-2, 102)
    other.set_ylabel("% clipped", fontsize=9, color=_COLOURS[1])
    other.spines["top"].set_visible(False)
    other.tick_params(labelsize=8)


def _updates(axes: Any, rows: Rows) -> None:
    axes.set_title("Size of an update, of that of the weights", fontsize=10, loc="left")
    names = sorted({n for row in rows for n in row["updates"] if "kernel" in n})
    for name, colour in zip(names, _COLOURS * 9, strict=False):
        ratios = [row["updates"].get(name) for row in rows]
        axes.plot(
            [r["step"] for r in rows],
            np.array(ratios, np.float64),
            color=colour,
            label=name,
        )
    axes.axhline(1e-3, color=_GREY, linewidth=0.8, linestyle=":")
    axes.set_yscale("log")
    if names:
        axes.legend(frameon=False, fontsize=7)


def _rates(axes: Any, rows: Rows, names: list[str]) -> None:
    axes.set_title("Factor of the error signal a step back", fontsize=10, loc="left")
    steps = [row["step"] for row in rows]
    for name, colour in zip(names, _COLOURS * 2, strict=False):
        rates = [row["layers"].get(name, {}).get("rate") for row in rows]
        axes.plot(steps, np.array(rates, np.float64), color=colour, label=name)
    axes.axhline(1, color=_GREY, linewidth=0.8, linestyle=":")
    if names:
        axes.legend(frameon=False, fontsize=8)
