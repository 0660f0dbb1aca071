"""Tables of what was measured, and the bars that jaxrnn is held against."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from benchmarks.machine import table
from benchmarks.peers.contest import OWN, Result
from benchmarks.peers.work import LARGE, Row

MODES = ("forward", "train")
TORCH = "torch"


def beside_best(result: Result, mode: str) -> float | None:
    """The fastest JAX peer's time over jaxrnn's: above 1, jaxrnn is faster."""
    times = result.times(mode)
    own = times.pop(OWN.name)
    times.pop(TORCH, None)
    return min(times.values()) / own if times else None


def beside_torch(result: Result, mode: str) -> float | None:
    """torch's time over jaxrnn's."""
    times = result.times(mode)
    return times[TORCH] / times[OWN.name] if TORCH in times else None


def share_of_peak(result: Result, mode: str) -> float:
    """jaxrnn's operations a second over those of the fastest product."""
    operations = result.row.operations(train=mode == "train")
    return operations / result.times(mode)[OWN.name] / result.peak


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


class Bar(NamedTuple):
    """A figure that jaxrnn shall reach: `over` all `rows`, what each one is `of`."""

    name: str
    of: Callable[[Result, str], float | None]
    over: Callable[[Sequence[float]], float]
    rows: Callable[[Row], bool]
    forward: float
    train: float

    def figure(self, results: Sequence[Result], mode: str) -> float | None:
        """What was reached; None where no such row was measured."""
        asked = [self.of(result, mode) for result in results if self.rows(result.row)]
        known = [value for value in asked if value is not None]
        return self.over(known) if known else None


every = lambda row: True
batched = lambda row: row.shape.rows >= 16
lstm = lambda row: row.kind == "LSTM"
large = lambda row: lstm(row) and not row.deep and row.shape == LARGE
mean = geometric_mean
MEAN = "geometric mean over"

BARS = (
    Bar("best JAX peer, any row", beside_best, min, every, 0.97, 1.05),
    Bar(f"best JAX peer, {MEAN} all rows", beside_best, mean, every, 1.25, 1.5),
    Bar(f"best JAX peer, {MEAN} B >= 16", beside_best, mean, batched, 1.05, 1.15),
    Bar(f"torch, {MEAN} all rows", beside_torch, mean, every, 1.25, 1.5),
    Bar(f"torch, {MEAN} B >= 16", beside_torch, mean, batched, 1.0, 1.0),
    Bar("torch, any LSTM row", beside_torch, min, lstm, 0.75, 0.8),
    Bar(f"share of peak, LSTM {LARGE}", share_of_peak, min, large, 0.85, 0.85),
)


def summary(results: Sequence[Result]) -> list[dict]:
    """The bars: name, mode, bar, figure, reached (None where nothing was measured)."""
    rows = []
    for bar in BARS:
        for mode in MODES:
            least, figure = getattr(bar, mode), bar.figure(results, mode)
            reached = None if figure is None else figure >= least
            rows.append(
                {"name": bar.name, "mode": mode, "bar": least}
                | {"figure": figure, "reached": reached}
            )
    return rows


def lines(results: Sequence[Result]) -> Iterator[str]:
    """Everything, as text: a table a network, then the bars.

    Behind the times of all libraries stand the time of the best JAX peer and that of
    torch over jaxrnn's, and jaxrnn's share of what products reach on this machine.
    """
    for name in dict.fromkeys(result.row.network.name for result in results):
        own = [result for result in results if result.row.network.name == name]
        yield f"\n{name}, milliseconds"
        yield from table(_network_cells(own))
    yield "\nthe bars"
    words = {True: "yes", False: "no", None: "not measured"}
    cells = [["", "", "bar", "figure", "reached"]]
    for row in summary(results):
        figure = "" if row["figure"] is None else f"{row['figure']:.2f}"
        told = [row["name"], row["mode"], f"{row['bar']:.2f}"]
        cells.append([*told, figure, words[row["reached"]]])
    yield from table(cells)


def _network_cells(results: Sequence[Result]) -> list[list[str]]:
    libraries = list(results[0].seconds["forward"])
    cells = [
        ["(T, B, input, H)", "", *libraries, "best peer/own", "torch/own", "of peak"]
    ]
    ratio = lambda value: "" if value is None else f"{value:.2f}"
    for result in results:
        for mode in MODES:
            times = result.times(mode)
            cells.append(
                [str(result.row.shape), mode]
                + [f"{times[library] * 1e3:#.3g}".rstrip(".") for library in libraries]
                + [ratio(beside_best(result, mode)), ratio(beside_torch(result, mode))]
                + [f"{share_of_peak(result, mode):.0%}"]
            )
    return cells
