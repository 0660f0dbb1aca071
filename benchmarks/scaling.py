"""How the cost of a plain LSTM grows: time, compilation and memory.

    python -m benchmarks.scaling [--quick]

Time against steps, rows and hidden size, forwards and with the gradient with respect to
the parameters; compilation against steps, which should not matter to it; temporaries of
a gradient step beside Flax's; what other cells cost beside the LSTM (benchmarks.cells);
and the characters that `jaxrnn train` reads a second.
"""

import argparse
import concurrent.futures
import contextlib
import functools
import io
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

import jaxrnn as jr
from benchmarks import cells
from benchmarks.machine import describe, interleaved, median, record, table, versions
from benchmarks.memory import beside_flax

MODES = ("forward", "train")
# (T, B, H), the input as wide as the hidden state, and one of them at a time as listed.
BASE = {"T": 128, "B": 16, "H": 128}
SWEEPS = {
    "T": (16, 32, 64, 128, 256, 512, 1024, 2048),
    "B": (1, 2, 4, 8, 16, 32, 64, 128, 256),
    "H": (16, 32, 64, 128, 256, 512, 1024),
}
COMPILED = (10, 100, 1_000, 10_000, 100_000)
MEMORY = ((1_000, 16, 512), (100, 64, 1024), (1_000, 16, 64), (200, 1, 256))


def programs(hidden_size: int) -> dict[str, Callable[..., Any]]:
    """The outputs, and the gradient of their squares' sum: functions of params, xs."""
    cell = jr.LSTM(hidden_size)
    forward = lambda params, xs: jr.unroll(cell, params, xs)[1]
    train = jax.grad(lambda params, xs: jnp.sum(forward(params, xs) ** 2))
    return {"forward": jax.jit(forward), "train": jax.jit(train)}


def arguments(T: int, B: int, H: int) -> tuple[Any, jax.Array]:
    """Parameters and inputs."""
    key = jax.random.key(0)
    return jr.LSTM(H).init(key, H), jax.random.normal(key, (T, B, H))


def times(sweep: str, mode: str, *, repeats: int, every: int) -> dict[int, float]:
    """Seconds by size, the median of turns that all sizes take."""
    runs = {}
    for size in SWEEPS[sweep][::every]:
        sizes = BASE | {sweep: size}
        run, given = programs(sizes["H"])[mode], arguments(**sizes)
        runs[size] = lambda run=run, given=given: run(*given)
    seconds = interleaved(list(runs.values()), repeats=repeats, lasting=0.02)
    return {size: median(each) for size, each in zip(runs, seconds, strict=True)}


def slope(seconds: dict[int, float]) -> float:
    """The power of the size that the time grows with, by least squares of logarithms.

    Example:
      >>> round(slope({1: 3.0, 2: 12.0, 4: 48.0}), 6)
      2.0
    """
    sizes, values = np.log(list(seconds)), np.log(list(seconds.values()))
    return float(np.polyfit(sizes, values, 1)[0])


def upper_half(seconds: dict[int, float]) -> dict[int, float]:
    """Those of the larger sizes, where fixed costs no longer count."""
    return dict(list(seconds.items())[len(seconds) // 2 :])


def compilation(steps: int, *, repeats: int) -> float:
    """Seconds to trace and compile a gradient step, the median."""
    found = []
    for _ in range(repeats):
        jax.clear_caches()
        sizes = BASE | {"T": steps}
        given = jax.eval_shape(lambda sizes=sizes: arguments(**sizes))
        start = time.perf_counter()
        programs(BASE["H"])["train"].lower(*given).compile()
        found.append(time.perf_counter() - start)
    return median(found)


def main_job(epochs: int) -> float:
    """Characters a second of `jaxrnn train`, without compilation and validation."""
    from jaxrnn.cli.memory import keep_freed_memory
    from jaxrnn.cli.options import parser
    from jaxrnn.cli.profile import Profile
    from jaxrnn.cli.start import started
    from jaxrnn.cli.train import train

    keep_freed_memory()
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        words = ["train", "--epochs", str(epochs), "--run", f"{folder}/run"]
        run, parts = started(parser().parse_args(words))
        profile = Profile(run)
        train(run, parts, [profile])
    window = run.config.window * run.config.batch_size
    return profile.windows * window / profile.seconds


def apart(function: Callable[..., Any], *args: Any) -> Any:
    """What it returns, in a process of its own: one that others left no trace in."""
    spawned = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawned) as pool:
        return pool.submit(function, *args).result()


def questions(*, quick: bool) -> Iterator[tuple[str, Any, Callable[[], Any]]]:
    """What there is to measure: a heading, what stands under it, and how to find it."""
    repeats, every = (3, 2) if quick else (7, 1)
    for sweep in SWEEPS:
        for mode in MODES:
            run = functools.partial(times, sweep, mode, repeats=repeats, every=every)
            yield f"seconds against {sweep}", mode, run
    for steps in COMPILED[::every]:
        run = functools.partial(compilation, steps, repeats=1 if quick else 3)
        yield "seconds to compile", steps, run
    for shape in MEMORY[::every]:
        run = lambda shape=shape: dict(beside_flax(*shape))
        yield "MiB of temporaries", str(shape), run
    beside = functools.partial(cells.beside_lstm, repeats=repeats)
    yield "seconds of each cell", "beside the LSTM", beside
    job = functools.partial(apart, main_job, 1 if quick else 3)
    yield "main job", "characters a second", job


def lines(found: dict[str, dict[Any, Any]]) -> Iterator[str]:
    """Everything, as text."""
    for sweep in SWEEPS:
        fixed = ", ".join(f"{name} = {size}" for name, size in BASE.items())
        by_mode = found[f"seconds against {sweep}"]
        yield f"\nmilliseconds against {sweep}, else {fixed}, input = H"
        rows = [[sweep, *MODES]]
        for size in by_mode["forward"]:
            own = [f"{by_mode[mode][size] * 1e3:#.3g}".rstrip(".") for mode in MODES]
            rows.append([str(size), *own])
        rows.append(["slope", *(f"{slope(by_mode[m]):.2f}" for m in MODES)])
        upper = [f"{slope(upper_half(by_mode[m])):.2f}" for m in MODES]
        rows.append(["of the upper half", *upper])
        yield from table(rows)
    yield f"\nseconds to compile a gradient step, B = {BASE['B']}, H = {BASE['H']}"
    told = [[f"{T:,}", f"{own:.2f}"] for T, own in found["seconds to compile"].items()]
    yield from table([["T", "seconds"], *told])
    yield "\nMiB of temporaries of a gradient step"
    memory = found["MiB of temporaries"]
    libraries = list(next(iter(memory.values())))
    told = [
        [of, *(f"{own[name]:.1f}" for name in libraries)] for of, own in memory.items()
    ]
    yield from table([["(T, B, input = H)", *libraries], *told])
    yield from cells.lines(found["seconds of each cell"]["beside the LSTM"])
    rate = found["main job"]["characters a second"]
    yield f"\n`jaxrnn train` reads {rate:,.0f} characters a second"


def draw(
    path: str | os.PathLike, found: dict[str, dict[Any, Any]], *, title: str
) -> None:
    """Draw all but the main job: lines on logarithmic axes, bars for memory."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((13, 7), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplot_mosaic("TTBBHH;CCCMMM")
    for sweep in SWEEPS:
        _cost(panels[sweep], sweep, found[f"seconds against {sweep}"])
    compiled = found["seconds to compile"]
    panels["C"].plot(list(compiled), list(compiled.values()), "o-", color="C2")
    panels["C"].set(xscale="log", ylim=0, xlabel="T")
    panels["C"].set_title("compiling a gradient step, seconds", fontsize=10)
    _memory(panels["M"], found["MiB of temporaries"])
    for panel in panels.values():
        panel.grid(axis="y", alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    rate = found["main job"]["characters a second"]
    told = f"{title}\n`jaxrnn train`: {rate:,.0f} characters a second"
    figure.suptitle(told, fontsize=9, color="#636363")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _cost(axes: Any, sweep: str, by_mode: dict[str, dict[int, float]]) -> None:
    for mode, seconds in by_mode.items():
        sizes, values = list(seconds), [1e3 * value for value in seconds.values()]
        label = f"{mode}: slope {slope(seconds):.2f}, {slope(upper_half(seconds)):.2f}"
        axes.plot(sizes, values, "o-", label=f"{label} of the upper half")
    fixed = ", ".join(f"{name} = {n}" for name, n in BASE.items() if name != sweep)
    axes.set(xscale="log", yscale="log", xlabel=sweep)
    axes.set_title(f"LSTM, milliseconds; {fixed}", fontsize=10)
    axes.set_xticks(sizes, [str(size) for size in sizes], fontsize=8)
    axes.set_xticks([], minor=True)
    axes.legend(frameon=False, fontsize=8, loc="upper left")


def _memory(axes: Any, by_shape: dict[str, dict[str, float]]) -> None:
    places, most = (
        np.arange(len(by_shape)),
        [max(o.values()) for o in by_shape.values()],
    )
    for number, library in enumerate(next(iter(by_shape.values()))):
        sizes = [own[library] for own in by_shape.values()]
        at = places + 0.27 * (number - 1)
        bars = axes.bar(at, np.divide(sizes, most), width=0.25, label=library)
        axes.bar_label(bars, [f"{size:.3g}" for size in sizes], fontsize=8)
    axes.set_xticks(places, list(by_shape))
    axes.set(ylim=(0, 1.35), yticks=(0, 0.5, 1), xlabel="(T, B, input = H)")
    axes.set_title("temporaries of a gradient step, MiB, beside the most", fontsize=10)
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="upper center")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling")
    add = parser.add_argument
    add("--quick", action="store_true", help="fewer sizes and repetitions")
    add("--json", metavar="PATH", default="benchmarks-out/scaling.json")
    add("--picture", metavar="PATH", default="benchmarks-out/scaling.png")
    args = parser.parse_args()
    print(describe())
    found: dict[str, dict[Any, Any]] = {}
    asked = list(questions(quick=args.quick))
    with tqdm(asked, leave=False, dynamic_ncols=True) as bar:
        for heading, under, answer in bar:
            bar.set_description(f"{heading}, {under}")
            found.setdefault(heading, {})[under] = answer()
    print(*lines(found), sep="\n")
    record(args.json, versions=versions("jaxlib", "jaxrnn", "flax"), found=found)
    draw(args.picture, found, title=describe())
    print(f"\nwritten: {args.json}, {args.picture}")


if __name__ == "__main__":
    main()
