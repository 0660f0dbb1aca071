"""The command line: `python -m benchmarks.peers --help`."""

import argparse
import os
from collections.abc import Iterable, Sequence

from tqdm import tqdm

from benchmarks.machine import SQUARES, describe, product_rate, record, versions
from benchmarks.peers.contest import OWN, Result, measure
from benchmarks.peers.libraries import LIBRARIES, Library
from benchmarks.peers.picture import draw
from benchmarks.peers.report import lines, summary
from benchmarks.peers.work import NETWORKS, QUICK_SHAPES, Row, Shape

DISTRIBUTIONS = ("jaxlib", "numpy", *(library.distribution for library in LIBRARIES))


def options() -> argparse.Namespace:
    """The command line's."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers")
    add = parser.add_argument
    add("--quick", action="store_true", help="three repetitions of two shapes")
    add("--only", metavar="TEXT", default="", help="networks whose name holds it")
    add("--shapes", metavar="T,B,input,H", nargs="+", type=shape, default=())
    add("--libraries", metavar="TEXT", nargs="+", help="those whose name holds one")
    add("--repeats", type=int, help="of each time; the median counts (5)")
    add("--json", metavar="PATH", default="benchmarks-out/peers.json")
    add("--picture", metavar="PATH", default="benchmarks-out/peers.png")
    return parser.parse_args()


def shape(text: str) -> Shape:
    """`T,B,input,H` read."""
    return Shape(*map(int, text.strip("()").split(",")))


def asked_rows(only: str, shapes: Sequence[Shape], *, quick: bool) -> list[Row]:
    """The rows to measure: the networks' own shapes, unless others are asked for."""
    return [
        Row(network, each)
        for network in NETWORKS
        if only.lower() in network.name.lower()
        for each in shapes or network.shapes
        if shapes or not quick or each in QUICK_SHAPES
    ]


def asked_libraries(names: Iterable[str] | None) -> list[Library]:
    """The installed ones that are asked for; what is missing is named and skipped."""
    asked = [
        library
        for library in LIBRARIES
        if library != OWN
        and (names is None or any(n.lower() in library.name.lower() for n in names))
    ]
    missing = {lib.distribution for lib in asked if lib.version is None}
    if missing:
        print(f"not installed, left out: {', '.join(sorted(missing))}")
    return [library for library in asked if library.version is not None]


def main() -> None:
    args = options()
    repeats = args.repeats or (3 if args.quick else 5)
    libraries = asked_libraries(args.libraries)
    rows = asked_rows(args.only, args.shapes, quick=args.quick)
    found = versions(*DISTRIBUTIONS)
    load = os.getloadavg()[0]  # of others: torch's threads wait long for a taken core
    print(f"{describe()}; load average {load:.1f} before it began")
    print(", ".join(f"{name} {version}" for name, version in found.items()))
    results: list[Result] = []
    with tqdm(total=len(rows) + 1, desc="peak", leave=False, dynamic_ncols=True) as bar:
        squares = product_rate(SQUARES)
        bar.update()
        for row in rows:
            tell = lambda doing, row=row: bar.set_description(f"{row}: {doing}")
            result = measure(row, libraries, repeats=repeats, tell=tell)
            results.append(result.with_peak(squares))
            bar.update()
            content = [result.as_json() for result in results]
            told = {"versions": found, "load_average_before": load}
            record(args.json, **told, rows=content, bars=summary(results))
    print(f"square products peak at {squares / 1e9:.0f} GFLOP/s")
    print(*lines(results), sep="\n")
    draw(args.picture, results, title=f"{describe()}; medians of {repeats}")
    print(f"\nwritten: {args.json}, {args.picture}")


if __name__ == "__main__":
    main()
