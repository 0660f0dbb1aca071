"""The figure of a run: how the loss fell, beside what has no network."""

import os
from pathlib import Path
from typing import Any

import numpy as np


def draw(
    path: str | os.PathLike,
    rows: list[dict[str, Any]],
    *,
    baselines: dict[str, float],
    windows: int,
) -> None:
    """Draw bits per character over epochs.

    Args:
      path: of the picture.
      rows: of the run's metrics.
      baselines: bits per character by name, one line each.
      windows: in an epoch.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps = [row for row in rows if "epoch" not in row and not row.get("skipped")]
    epochs = [row for row in rows if "epoch" in row]
    figure = Figure(figsize=(8, 4.5), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    train = np.array([row["train_bits_per_char"] for row in steps])
    at = np.array([row["step"] / windows for row in steps])
    axes.plot(at, train, color="#9ecae1", linewidth=0.8)
    axes.plot(at, smooth(train), color="#3182bd", linewidth=1.6, label="training")
    valid = [row["valid_bits_per_char"] for row in epochs]
    axes.plot(
        [row["step"] / windows for row in epochs],
        valid,
        color="#e6550d",
        marker="o",
        markersize=4,
        linewidth=1.8,
        label=f"validation: {min(valid):.3f}",
    )
    _rule(axes, baselines)
    _scale(axes, np.array([*train, *valid, *baselines.values()]))
    axes.set(xlabel="epoch", ylabel="bits per character", xlim=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    axes.legend(frameon=False, loc="upper right", bbox_to_anchor=(1, 0.9))
    temporary = Path(path).with_suffix(".tmp.png")
    figure.savefig(temporary)
    os.replace(temporary, path)


def _rule(axes: Any, baselines: dict[str, float]) -> None:
    """A line across for each baseline, its name above its right end."""
    for (name, bits), style in zip(baselines.items(), ("--", ":"), strict=True):
        axes.axhline(bits, color="#636363", linestyle=style, linewidth=1.1)
        axes.annotate(
            f"{name} {bits:.3f}",
            (1, bits),
            xycoords=("axes fraction", "data"),
            xytext=(-4, 3),
            textcoords="offset points",
            ha="right",
            color="#636363",
            fontsize=9,
        )


def _scale(axes: Any, shown: np.ndarray) -> None:
    """Equal ratios at equal distances: first bits fall fast, the last ones count."""
    low, high = max(0.93 * shown.min(), 0.01), 1.12 * shown.max()
    axes.set_yscale("log")
    every = (0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4, 6, 8, 12, 16)
    ticks = [bits for bits in every if low < bits < high]
    axes.set_yticks(ticks, [f"{bits:g}" for bits in ticks])
    axes.set_yticks([], minor=True)
    axes.set_ylim(low, high)


def smooth(values: np.ndarray, *, width: int = 9) -> np.ndarray:
    """The mean of each value and its neighbours.

    Args:
      values: [N].
      width: how many values a mean is of; fewer at the ends.

    Example:
      >>> smooth(np.array([0.0, 3.0, 0.0, 3.0]), width=3)
      array([1.5, 1. , 2. , 1.5])
    """
    if not len(values):
        return values
    kernel = np.ones(min(width, len(values)))
    total = np.convolve(values, kernel, mode="same")
    return total / np.convolve(np.ones(len(values)), kernel, mode="same")
