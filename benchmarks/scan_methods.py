"""Linear cells step by step, and with their steps combined.

    python -m benchmarks.scan_methods [--quick]

Seconds of `unroll` and of its gradient, by either method, against steps: what
`method="auto"` is chosen by (`jaxrnn/unroll/method.py`).
"""

import argparse
import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from tqdm import tqdm

import jaxrnn as jr
from benchmarks.machine import describe, interleaved, median, record, table, versions

CELLS = {
    "MinGRU": lambda H: jr.MinGRU(H),
    "LRU": lambda H: jr.LRU(H, H // 2),
    "QRNN": lambda H: jr.QRNN(H),
}
STEPS = (100, 1_000, 10_000)
BATCH, HIDDEN = (1, 16), 128  # the input is as wide as the hidden state
METHODS = ("scan", "associative")


def measured(name: str, T: int, B: int, *, repeats: int) -> dict[str, list[float]]:
    """Seconds forwards and with the gradient, the medians, by method."""
    cell, key = CELLS[name](HIDDEN), jax.random.key(0)
    params, xs = cell.init(key, HIDDEN), jax.random.normal(key, (T, B, HIDDEN))
    runs = []
    for method in METHODS:
        forward = functools.partial(outputs, cell, method)
        squares = lambda params, xs, run=forward: jnp.sum(run(params, xs) ** 2)
        for function in (forward, jax.grad(squares)):
            runs.append(functools.partial(jax.jit(function), params, xs))
    seconds = map(median, interleaved(runs, repeats=repeats, lasting=0.05))
    return {method: [next(seconds), next(seconds)] for method in METHODS}


def outputs(cell: jr.Cell, method: str, params: Any, xs: jax.Array) -> jax.Array:
    return jr.unroll(cell, params, xs, method=method)[1]


def lines(found: dict[str, dict[str, list[float]]]) -> Iterator[str]:
    """Milliseconds, and how many times longer the combined steps take."""
    head = ["cell, T, B", *(f"{m}, {way}" for m in METHODS for way in ("fwd", "grad"))]
    cells = [[*head, "fwd ratio", "grad ratio"]]
    for of, by_method in found.items():
        scan, combined = (by_method[method] for method in METHODS)
        ratios = [f"{b / a:.2f}" for a, b in zip(scan, combined, strict=True)]
        cells.append([of, *(f"{1e3 * s:#.3g}" for s in (*scan, *combined)), *ratios])
    yield from table(cells)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scan_methods")
    parser.add_argument("--quick", action="store_true", help="fewer steps and turns")
    parser.add_argument("--json", default="benchmarks-out/scan_methods.json")
    args = parser.parse_args()
    print(describe())
    asked = [
        (name, T, B)
        for name in CELLS
        for T in STEPS[: 2 if args.quick else None]
        for B in BATCH
    ]
    found = {}
    with tqdm(asked, leave=False, dynamic_ncols=True) as bar:
        for name, T, B in bar:
            bar.set_description(f"{name}, T = {T}, B = {B}")
            repeats = 3 if args.quick else 7
            found[f"{name}, {T:,}, {B}"] = measured(name, T, B, repeats=repeats)
    print(*lines(found), sep="\n")
    record(args.json, versions=versions("jaxlib", "jaxrnn"), found=found)
    print(f"\nwritten: {args.json}")


if __name__ == "__main__":
    main()
