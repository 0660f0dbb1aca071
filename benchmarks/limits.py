"""Where the time of an LSTM goes, and what its parts could take at best.

    python -m benchmarks.limits [--quick]

The parts of a forward pass and of a gradient step, each alone in a program of its own:
the products of all steps at once, the recurrent products that wait for one another, and
the gates without any product. Beside each part its share of the machine's fastest
product; below, what is left of the whole when its parts are taken off.
"""

import argparse
import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from tqdm import tqdm

import jaxrnn as jr
from benchmarks.machine import (
    SQUARES,
    describe,
    interleaved,
    median,
    product_rate,
    record,
    table,
    versions,
)
from benchmarks.peers.work import LARGE, SHAPES, Shape

ASKED = (LARGE, SHAPES[1], SHAPES[0], SHAPES[5], SHAPES[7])
Parts = dict[str, tuple[float, float]]


def parts(shape: Shape) -> dict[str, tuple[Callable[[], Any], int]]:
    """What to run for each part, and the operations of its products."""
    T, B, n, H = shape
    draw = lambda number, *size: jax.random.normal(jax.random.key(number), size)
    xs, h, zs = draw(0, T, B, n), draw(1, B, H), draw(2, T, B, 4 * H)
    W, U = draw(3, n, 4 * H) / n**0.5, draw(4, H, 4 * H) / H**0.5
    hs, wide = draw(5, T, B, H), draw(6, B, 4 * H)
    per_input, per_state = 2 * T * B * n * 4 * H, 2 * T * B * H * 4 * H
    of_all = lambda a, b: jnp.einsum("tbi,tbj->ij", a, b)
    asked = {
        "W x, all steps at once": (lambda: (xs, W), jnp.matmul, per_input),
        "U h, step after step": (lambda: (h, U, T), _products, per_state),
        "gates, step after step": (lambda: (zs, h), _gates, 0),
        "U' dz, step after step": (lambda: (wide, U.T, T), _products, per_state),
        "dW, one product": (lambda: (xs, zs), of_all, per_input),
        "dU, one product": (lambda: (hs, zs), of_all, per_state),
    }
    cell = jr.LSTM(H)
    params = cell.init(jax.random.key(7), n)
    forward = lambda params, xs: jr.unroll(cell, params, xs)[1]
    train = jax.grad(lambda params, xs: jnp.sum(forward(params, xs) ** 2))
    once = per_input + per_state
    asked["forward"] = (lambda: (params, xs), forward, once)
    asked["train"] = (lambda: (params, xs), train, 2 * once + per_state)
    return {
        name: (_compiled(function, *given()), operations)
        for name, (given, function, operations) in asked.items()
    }


def _compiled(function: Callable[..., Any], *given: Any) -> Callable[[], Any]:
    static = [number for number, each in enumerate(given) if isinstance(each, int)]
    return functools.partial(jax.jit(function, static_argnums=static), *given)


def _products(start: jax.Array, kernel: jax.Array, steps: int) -> jax.Array:
    """A product that reads the one before, its outputs cut or repeated to fit."""
    m, n = kernel.shape

    def one(carry: jax.Array, _: None) -> tuple[jax.Array, None]:
        product = carry @ kernel
        return jnp.tile(product, (1, m // n)) if m > n else product[:, :m], None

    return jax.lax.scan(one, start, length=steps)[0]


def _gates(zs: jax.Array, start: jax.Array) -> jax.Array:
    """An LSTM whose recurrent kernel is zero: what is left of it."""

    def one(carry: Any, z: jax.Array) -> tuple[Any, jax.Array]:
        h, c = carry
        i, f, o, g = jnp.split(jnp.tanh(z + jnp.tile(h, (1, 4))), 4, axis=-1)
        c = f * c + i * g
        h = o * jnp.tanh(c)
        return (h, c), h

    return jax.lax.scan(one, (start, start), zs)[1]


FORWARD = ("W x, all steps at once", "U h, step after step", "gates, step after step")
TRAIN = (*FORWARD, "U' dz, step after step", "dW, one product", "dU, one product")


def measured(shape: Shape, *, repeats: int) -> Parts:
    """Seconds and operations of each part, the medians of turns."""
    asked = parts(shape)
    runs = [run for run, _ in asked.values()]
    seconds = map(median, interleaved(runs, repeats=repeats, lasting=0.05))
    return {name: (next(seconds), count) for name, (_, count) in asked.items()}


def lines(found: dict[str, Parts], peak: float) -> Iterator[str]:
    """Milliseconds of each part, and its share of the peak, a column a shape."""
    for_mode = {"forward": FORWARD, "train": TRAIN}
    names = [*TRAIN, *(f"{m}{x}" for m in for_mode for x in ("", ", beside its parts"))]
    rows = [["(T, B, input, H)", *found]]
    for name in names:
        mode = name.split(",")[0]
        cells = []
        for own in found.values():
            if name in own:
                seconds, operations = own[name]
                share = f" ({operations / seconds / peak:.0%})" if operations else ""
                cells.append(f"{1e3 * seconds:#.3g}{share}")
            else:
                rest = own[mode][0] - sum(own[part][0] for part in for_mode[mode])
                cells.append(f"{1e3 * rest:+#.3g}")
        rows.append([name, *cells])
    yield from table(rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits")
    parser.add_argument("--quick", action="store_true", help="two shapes, fewer turns")
    parser.add_argument("--json", default="benchmarks-out/limits.json")
    args = parser.parse_args()
    print(describe())
    peak = product_rate(SQUARES)
    print(f"milliseconds, and the share of {peak / 1e9:.0f} GFLOP/s\n")
    found = {}
    asked = ASKED[2:4] if args.quick else ASKED
    with tqdm(asked, leave=False, dynamic_ncols=True) as bar:
        for shape in bar:
            bar.set_description(str(shape))
            found[str(shape)] = measured(shape, repeats=3 if args.quick else 7)
    print(*lines(found, peak), sep="\n")
    record(args.json, versions=versions("jaxlib", "jaxrnn"), peak=peak, found=found)
    print(f"\nwritten: {args.json}")


if __name__ == "__main__":
    main()
