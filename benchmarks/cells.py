"""What each cell costs beside the LSTM of the same size.

    python -m benchmarks.cells [--quick]

Milliseconds of `unroll` and of its gradient with respect to the parameters, all cells
by turns in one run, and their ratio to the LSTM's. Part of `benchmarks.scaling`.
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

STEPS, BATCH, SIZE = 100, 32, 128  # inputs are as wide as the hidden state
CELLS = {
    "LSTM": jr.LSTM(SIZE),
    "LSTM, peepholes": jr.LSTM(SIZE, peepholes=True),
    "LSTM, coupled": jr.LSTM(SIZE, coupled=True),
    "GRU, reset before": jr.GRU(SIZE),
    "GRU, reset after": jr.GRU(SIZE, reset="after"),
    "MGU": jr.MGU(SIZE),
    "MUT1": jr.MUT1(SIZE),
    "NAS": jr.NAS(SIZE),
    "RHN of depth 3": jr.RHN(SIZE),
    "Elman": jr.Elman(SIZE),
    "OrthogonalRNN": jr.OrthogonalRNN(SIZE),
    "UnitaryRNN": jr.UnitaryRNN(SIZE // 2),
    "MinGRU": jr.MinGRU(SIZE),
    "LRU": jr.LRU(SIZE, SIZE // 2),
    "QRNN": jr.QRNN(SIZE),
}
Seconds = dict[str, tuple[float, float]]


def beside_lstm(*, repeats: int) -> Seconds:
    """Seconds forwards and with the gradient, the medians, by cell."""
    runs = []
    for cell in tqdm(CELLS.values(), "compiling", leave=False, dynamic_ncols=True):
        key = jax.random.key(0)
        params = cell.init(key, SIZE)
        xs = jax.random.normal(key, (STEPS, BATCH, SIZE))
        forward = functools.partial(_outputs, cell)
        squares = lambda params, xs, run=forward: jnp.sum(run(params, xs) ** 2)
        for function in (forward, jax.grad(squares)):
            runs.append(functools.partial(jax.jit(function), params, xs))
    seconds = map(median, interleaved(runs, repeats=repeats, lasting=0.02))
    return {name: (next(seconds), next(seconds)) for name in CELLS}


def _outputs(cell: jr.Cell, params: Any, xs: jax.Array) -> jax.Array:
    return jr.unroll(cell, params, xs)[1]


def lines(found: Seconds) -> Iterator[str]:
    """Milliseconds, and ratios to the LSTM's."""
    yield f"\nmilliseconds at (T, B, input = H) = ({STEPS}, {BATCH}, {SIZE})"
    cells = [["cell", "forward", "train", "beside the LSTM", ""]]
    base = found["LSTM"]
    for name, seconds in found.items():
        own = [f"{1e3 * s:#.3g}" for s in seconds]
        ratios = [f"{s / b:.2f}" for s, b in zip(seconds, base, strict=True)]
        cells.append([name, *own, *ratios])
    yield from table(cells)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cells")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", default="benchmarks-out/cells.json")
    args = parser.parse_args()
    print(describe())
    found = beside_lstm(repeats=3 if args.quick else 9)
    print(*lines(found), sep="\n")
    record(args.json, versions=versions("jaxlib", "jaxrnn"), found=found)
    print(f"\nwritten: {args.json}")


if __name__ == "__main__":
    main()
