"""What a benchmark ran on, how it takes its times, and how it tells them."""

import contextlib
import datetime
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

SQUARES = tuple((size, size, size) for size in (512, 1024, 2048, 4096))


def describe() -> str:
    """The machine, its devices and the versions, in one line."""
    model = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as lines:
            names = [x.split(":")[1] for x in lines if x.startswith("model name")]
        model = names[0].strip() if names else model
    devices = ", ".join(sorted({d.device_kind for d in jax.devices()}))
    return (
        f"{model}, {os.cpu_count()} cores; {jax.default_backend()} ({devices}); "
        f"jax {jax.__version__}, Python {platform.python_version()}"
    )


def versions(*distributions: str) -> dict[str, str]:
    """What is installed of these, by name."""
    found = {}
    for name in distributions:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def record(path: str | os.PathLike, **found: Any) -> None:
    """Write what was found as JSON, with the machine, the date and the command."""
    about = {
        "machine": describe(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "-m", _module(), *sys.argv[1:]]),
    }
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(about | found, file, indent=1)


def _module() -> str:
    """The module that was started, by name."""
    spec = sys.modules["__main__"].__spec__
    return spec.name.removesuffix(".__main__") if spec else sys.argv[0]


def interleaved(
    runs: Sequence[Callable[[], Any]],
    *,
    repeats: int,
    lasting: float = 0.0,
    pause: float = 0.0,
) -> list[list[float]]:
    """Seconds of each run, `repeats` times, in turn: what slows one slows all.

    The first, untimed round compiles.

    Args:
      runs: what to time.
      repeats: how many times the turn of each comes.
      lasting: the seconds that a turn lasts at least: a shorter run is called again
        and again, the first time untimed, and the mean counts.
      pause: the seconds between turns, in which one run's threads come to rest: those
        of OpenMP wait busily for some milliseconds.
    """
    for run in runs:
        jax.block_until_ready(run())
    seconds: list[list[float]] = [[] for _ in runs]
    for _ in range(repeats):
        for own, run in zip(seconds, runs, strict=True):
            time.sleep(pause)
            once = timed(run)
            own.append(once if once >= lasting else timed(run, lasting=lasting))
    return seconds


def timed(run: Callable[[], Any], *, lasting: float = 0.0) -> float:
    """Seconds of a call, the mean of as many as last so long."""
    calls, start = 0, time.perf_counter()
    while True:
        jax.block_until_ready(run())
        calls, passed = calls + 1, time.perf_counter() - start
        if passed >= lasting:
            return passed / calls


def product_rate(shapes: Iterable[tuple[int, int, int]], *, repeats: int = 8) -> float:
    """Operations a second of the fastest float32 product, by JAX or torch.

    Args:
      shapes: `(m, n, k)` for `[m, n] x [n, k]`.
      repeats: how many times each runs; the fastest counts.
    """
    best = 0.0
    for m, n, k in shapes:
        for product in _products(np.ones((m, n), "f4"), np.ones((n, k), "f4")):
            jax.block_until_ready(product())
            fastest = min(timed(product) for _ in range(repeats))
            best = max(best, 2 * m * n * k / fastest)
    return best


def _products(left: np.ndarray, right: np.ndarray) -> Iterator[Callable[[], Any]]:
    """The same product by each library that is installed."""
    a, b = jnp.asarray(left), jnp.asarray(right)
    multiply = jax.jit(jnp.matmul)
    yield lambda: multiply(a, b)
    if importlib.util.find_spec("torch"):
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        c, d = (torch.tensor(side, device=device) for side in (left, right))
        done = torch.cuda.synchronize if device == "cuda" else lambda: None
        yield lambda: (c @ d, done())


def median(seconds: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(seconds)


def table(cells: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of a Markdown table, its columns aligned; the first row is the head."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for number, row in enumerate(cells):
        padded = [row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]
        yield f"| {' | '.join(padded)} |"
        if number == 0:
            rules = [f"{'-' * (width - 1)}:" for width in widths[1:]]
            yield f"| {' | '.join(['-' * widths[0], *rules])} |"
