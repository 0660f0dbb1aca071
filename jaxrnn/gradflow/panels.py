"""The panels of a layer's row in the picture of a `GradientFlow`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxrnn.gradflow.verdict import recurrent_weight

if TYPE_CHECKING:
    from jaxrnn.gradflow.flow import LayerFlow

_COLOURS = ("#3182bd", "#e6550d", "#31a354", "#756bb1")
_GREY, _PALE = "#636363", "#9ecae1"
_LEAST, _MOST = 1e-9, 1e9  # what a logarithmic axis shows at most
_LOST = 1e-3


class Panel(NamedTuple):
    """A picture of one thing.

    Attributes:
      title: what it shows.
      draw: onto axes, of a layer.
      has: whether a layer has it.
    """

    title: str
    draw: Callable[[Any, "LayerFlow"], None]
    has: Callable[["LayerFlow"], bool]


def _signal(axes: Any, layer: "LayerFlow") -> None:
    """||dL/dc_t|| over t: the median row, and the range of the middle four fifths."""
    steps = np.arange(len(layer.output))
    for (name, norm), colour in zip(layer.norms.items(), _COLOURS, strict=False):
        low, middle, high = _quantiles(norm)
        axes.plot(steps, middle, color=colour, label=f"dL/d {name}")
        axes.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)
    _, output, _ = _quantiles(layer.output)
    axes.plot(steps, output, ".", color=_GREY, markersize=3, label="dL/d output")
    _logarithmic(axes)
    axes.set_xlabel("step t", fontsize=9)
    axes.set_ylabel("norm of the gradient", fontsize=9)
    axes.legend(frameon=False, fontsize=8)


def _quantiles(norms: Any) -> list[np.ndarray]:
    """The 10th, 50th and 90th percentile of rows that have any; NaN where none has."""
    rows = np.asarray(norms, np.float64).reshape(len(norms), -1)
    found = np.full((3, len(rows)), np.nan)
    for t, row in enumerate(rows):
        some = row[np.isfinite(row) & (row > 0)]
        if len(some):
            found[:, t] = np.quantile(some, (0.1, 0.5, 0.9))
    return list(found)


def _reach(axes: Any, layer: "LayerFlow") -> None:
    """What is left of the signals, and what the Jacobians could leave of one."""
    reach = np.asarray(layer.distances.reach, np.float64)
    back = np.arange(len(reach))
    axes.plot(
        back, reach, color=_COLOURS[0], linewidth=2, label="the loss's own signals"
    )
    if layer.spectra is not None:
        powers = np.asarray(layer.spectra.product, np.float64).mean(axis=1)
        # Of the last step taken it is 1; going backwards that is the first.
        powers = powers if powers[0] == 0 else powers[::-1]
        some = np.arange(min(len(powers), len(reach)))
        worst = _clipped(powers[some])
        label = "largest gain, $||dc_T/dc_t||$"
        axes.plot(some, worst, color=_COLOURS[1], label=label)
        if layer.spectra.bound is not None:
            bound = _clipped(some * float(layer.spectra.bound))
            label = "bound by U alone"
            axes.plot(some, bound, ":", color=_COLOURS[1], label=label)
    axes.axhline(1, color=_GREY, linewidth=0.8, linestyle=":")
    _logarithmic(axes, _MOST)
    low, high = axes.get_ylim()
    axes.axhspan(min(low, _LOST / 2), _LOST, color=_GREY, alpha=0.12, linewidth=0)
    axes.text(
        0.98,
        _LOST,
        "lost ",
        fontsize=8,
        color=_GREY,
        va="top",
        ha="right",
        transform=axes.get_yaxis_transform(),
    )
    axes.set_ylim(min(low, _LOST / 10), max(high, 3))
    axes.set_xlabel("steps back", fontsize=9)
    axes.legend(frameon=False, fontsize=8)


def _clipped(powers: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return 10.0 ** np.clip(powers, -30, 30)


def _source(axes: Any, layer: "LayerFlow") -> None:
    """How much of the recurrent weight's gradient comes from k steps back."""
    name = str(recurrent_weight(layer))
    shares = 100 * np.asarray(layer.distances.shares[name], np.float64)
    far = np.cumsum(shares)  # 100 over all distances, where all are there
    axes.bar(np.arange(len(shares)), shares, width=1, color=_PALE)
    axes.plot(far, color=_COLOURS[0], label="so far")
    ends = [*shares[np.isfinite(shares)], *far[np.isfinite(far)], 0, 100]
    axes.set_ylim(1.05 * min(ends), 1.05 * max(ends))
    axes.set_xlabel("steps back", fontsize=9)
    axes.set_ylabel("%", fontsize=9)
    axes.legend(frameon=False, fontsize=8, loc="center right")


def _stretch(axes: Any, layer: "LayerFlow") -> None:
    """The singular values of the step Jacobians, and their spectral radius."""
    of_rows = lambda a: np.asarray(a, np.float64).mean(axis=1)
    values, radius = map(of_rows, layer.spectra[:2])  # type: ignore[index]
    steps = np.arange(len(values))
    axes.fill_between(
        steps,
        values[:, -1],
        values[:, 0],
        color=_PALE,
        alpha=0.6,
        linewidth=0,
        label="all directions",
    )
    axes.plot(
        steps, np.median(values, axis=1), color=_COLOURS[0], label="the median one"
    )
    axes.plot(steps, radius, color=_COLOURS[1], label="spectral radius")
    axes.axhline(1, color=_GREY, linewidth=0.8, linestyle=":")
    axes.set_ylim(0, 1.4 * max(1, np.nanmax(values, initial=0)))
    axes.set_xlabel("step t", fontsize=9)
    axes.set_ylabel("factor", fontsize=9)
    axes.legend(frameon=False, fontsize=8, loc="upper right")


def _gates(axes: Any, layer: "LayerFlow") -> None:
    """Shares of activations: closed, in between, open."""
    closed, opened = (
        100 * np.array([float(getattr(g, end)) for g in layer.gates.values()])
        for end in ("closed", "open")
    )
    places, between = np.arange(len(closed)), 100 - closed - opened
    axes.barh(places, closed, color=_COLOURS[1], label="closed")
    axes.barh(places, between, left=closed, color="#d9d9d9", label="between")
    axes.barh(places, opened, left=closed + between, color=_COLOURS[0], label="open")
    axes.set_yticks(places, list(layer.gates))
    axes.set_xlim(0, 100)
    axes.set_ylim(len(closed) - 0.4, -1.1)
    axes.set_xlabel("% of activations", fontsize=9)
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="upper center")


def _logarithmic(axes: Any, most: float = np.inf) -> None:
    """A logarithmic axis over what is drawn, from the largest down to where it ends."""
    drawn = np.concatenate([np.ravel(line.get_ydata()) for line in axes.lines])
    drawn = drawn[np.isfinite(drawn) & (drawn > 0)]
    axes.set_yscale("log")
    if len(drawn):
        top = min(drawn.max(), most)
        axes.set_ylim(max(drawn.min() / 2, top * _LEAST), 2 * top)


PANELS = (
    Panel("How large is the error signal?", _signal, lambda layer: True),
    Panel(
        "How much of it gets how far back?",
        _reach,
        lambda layer: len(layer.output) > 1,
    ),
    Panel(
        "Which steps do weights learn from?",
        _source,
        lambda layer: len(layer.output) > 1 and bool(layer.weights),
    ),
    Panel(
        "What one step does to it", _stretch, lambda layer: layer.spectra is not None
    ),
    Panel("Are gates stuck?", _gates, lambda layer: bool(layer.gates)),
)
