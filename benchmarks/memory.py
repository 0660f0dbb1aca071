"""What backpropagation through long sequences costs in memory and in compilation.

    python -m benchmarks.memory [--quick]

Temporaries are what XLA says that a compiled gradient step needs beside its inputs and
outputs (`compiled.memory_analysis()`); nothing of that size is run.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from tqdm import tqdm

import jaxrnn as jr
from benchmarks.machine import describe, interleaved, median

HIDDEN, INPUT, BATCH, CLASSES = 256, 32, 16, 64
CELL = jr.LSTM(HIDDEN)
MODEL = jr.Stack(CELL, jr.Dense(CLASSES))


def last_carry_step(checkpoint: Any) -> Callable[..., Any]:
    """A gradient step for a loss of the last carry alone."""

    def loss(params: Any, xs: jax.Array) -> jax.Array:
        carry, _ = jr.unroll(CELL, params, xs, checkpoint=checkpoint)
        return jnp.sum(carry.hidden**2)

    return jax.grad(loss)


def every_step_step(checkpoint: Any) -> Callable[..., Any]:
    """A gradient step for a cross-entropy at every step."""

    def loss(params: Any, xs: jax.Array, labels: jax.Array) -> jax.Array:
        return jr.unroll_loss(
            MODEL, params, xs, labels, jr.cross_entropy, checkpoint=checkpoint
        )[0]

    return jax.grad(loss)


def arguments(steps: int) -> tuple[Any, Any, Any, Any]:
    """Shapes of the parameters of the cell and the model, the inputs and the labels."""
    shape = jax.ShapeDtypeStruct
    key = jax.random.key(0)
    cell = jax.eval_shape(lambda: CELL.init(key, INPUT))
    model = jax.eval_shape(lambda: MODEL.init(key, INPUT))
    xs = shape((steps, BATCH, INPUT), jnp.float32)
    return cell, model, xs, shape((steps, BATCH), jnp.int32)


def temporaries(steps: int) -> list[tuple[str, str, float]]:
    """Rows of loss, checkpoint, GiB."""
    cell, model, xs, labels = arguments(steps)
    rows = []
    for name, step, given in (
        ("last carry", last_carry_step, (cell, xs)),
        (f"cross-entropy, {CLASSES} classes", every_step_step, (model, xs, labels)),
    ):
        for checkpoint in (None, "sqrt"):
            compiled = jax.jit(step(checkpoint)).lower(*given).compile()
            size = compiled.memory_analysis().temp_size_in_bytes
            rows.append((name, str(checkpoint), size / 2**30))
    return rows


def beside_flax(steps: int, rows: int, size: int) -> list[tuple[str, float]]:
    """Rows of library, MiB of temporaries of a plain LSTM's gradient step."""
    from flax import linen

    xs = jax.ShapeDtypeStruct((steps, rows, size), jnp.float32)
    models: dict[str, tuple[Any, Any]] = {}
    cell = jr.LSTM(size)
    init = lambda: cell.init(jax.random.key(0), size)
    models["jaxrnn"] = init, lambda params, xs: jr.unroll(cell, params, xs)[1]
    for flax_cell in (linen.LSTMCell, linen.OptimizedLSTMCell):
        layer = linen.RNN(flax_cell(size), time_major=True)
        init = lambda layer=layer: layer.init(jax.random.key(0), jnp.zeros(xs.shape))
        models[f"Flax {flax_cell.__name__}"] = init, layer.apply
    found = []
    for name, (init, run) in models.items():
        gradient = jax.grad(lambda params, xs, run=run: jnp.sum(run(params, xs) ** 2))
        compiled = jax.jit(gradient).lower(jax.eval_shape(init), xs).compile()
        found.append((name, compiled.memory_analysis().temp_size_in_bytes / 2**20))
    return found


def program(steps: int) -> tuple[int, float]:
    """Instructions of the compiled gradient step, and the seconds to compile it."""
    cell, _, xs, _ = arguments(steps)
    start = time.perf_counter()
    compiled = jax.jit(last_carry_step(100)).lower(cell, xs).compile()
    seconds = time.perf_counter() - start
    return sum(" = " in line for line in compiled.as_text().splitlines()), seconds


def times(steps: int, repeats: int) -> list[tuple[str, float, float]]:
    """Rows of loss, seconds without and with "sqrt"; medians of interleaved runs."""
    key = jax.random.key(0)
    xs = jax.random.normal(key, (steps, BATCH, INPUT))
    labels = jax.random.randint(key, (steps, BATCH), 0, CLASSES)
    rows = []
    for name, step, given in (
        ("last carry", last_carry_step, (CELL.init(key, INPUT), xs)),
        ("cross-entropy", every_step_step, (MODEL.init(key, INPUT), xs, labels)),
    ):
        steps_ = [jax.jit(step(checkpoint)) for checkpoint in (None, "sqrt")]
        runs = [lambda f=f, given=given: f(*given) for f in steps_]
        plain, chunked = interleaved(runs, repeats=repeats)
        rows.append((name, median(plain), median(chunked)))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    repeats = 3 if parser.parse_args().quick else 9
    print(describe())
    print(f"LSTM of {HIDDEN}, input {INPUT}, batch {BATCH}, float32\n")
    with tqdm(total=5, desc="measuring", leave=False) as bar:
        sizes = temporaries(100_000)
        bar.update()
        libraries = beside_flax(1_000, 16, 512)
        bar.update()
        programs = [(steps, *program(steps)) for steps in (1_000, 1_000_000)]
        bar.update(2)
        seconds = times(2_000, repeats)
        bar.update()
    print("temporaries of a gradient step, T = 100,000 (limit with sqrt: 1 GiB)")
    for name, checkpoint, size in sizes:
        print(f"  {name:28} checkpoint={checkpoint:5} {size:8.3f} GiB")
    print("\ntemporaries at (T, B, input, H) = (1000, 16, 512, 512)")
    for name, size in libraries:
        print(f"  {name:28} {size:8.1f} MiB")
    print("\ncompiled gradient step of the last carry, checkpoint=100")
    for steps, instructions, compile_seconds in programs:
        print(
            f"  T = {steps:9,}  {instructions:5} instructions, "
            f"{compile_seconds:.2f} s to compile"
        )
    print("\ntime of a gradient step, T = 2,000 (limit: 1.6 times the plain one)")
    for name, plain, chunked in seconds:
        print(
            f"  {name:28} {plain * 1e3:7.1f} ms plain, {chunked * 1e3:7.1f} ms with "
            f"sqrt: {chunked / plain:.2f} times"
        )


if __name__ == "__main__":
    main()
