"""What a benchmark ran on, and how it takes its times."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp


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


def matmul_peak(sizes: Sequence[int] = (512, 1024, 2048, 4096)) -> float:
    """The best rate of square float32 products, in operations a second."""
    best = 0.0
    product = jax.jit(jnp.matmul)
    for n in sizes:
        a = jnp.ones((n, n))
        repeats = max(3, min(20, int(2e10 / n**3)))
        (seconds,) = interleaved([lambda a=a: product(a, a)], repeats=repeats)
        best = max(best, 2 * n**3 / min(seconds))
    return best


def median(seconds: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(seconds)
