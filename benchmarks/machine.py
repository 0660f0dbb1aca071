"""What a benchmark ran on, and how it takes its times."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax


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


def interleaved(
    runs: Sequence[Callable[[], Any]], *, repeats: int
) -> list[list[float]]:
    """Seconds of each run, `repeats` times, in turn: what slows one slows all.

    The first, untimed round compiles.
    """
    for run in runs:
        jax.block_until_ready(run())
    seconds: list[list[float]] = [[] for _ in runs]
    for _ in range(repeats):
        for own, run in zip(seconds, runs, strict=True):
            start = time.perf_counter()
            jax.block_until_ready(run())
            own.append(time.perf_counter() - start)
    return seconds


def median(seconds: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(seconds)
