"""What a gradient costs: neither program nor memory grow with time as outputs do."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from jaxrnn.unroll import chunks
from jaxrnn.unroll.chunks import chunk_size, scan_chunks, tile_size
from laws.harness import close

BATCH, INPUTS, CLASSES = 2, 3, 64
CELL = jr.Elman(64)
DEEP = jr.Stack(jr.LSTM(8), jr.Dropout(0.1), jr.LSTM(8), jr.GRU(4))


def lowered(steps, checkpoint, *, cell=CELL, per_step=True):
    """A gradient by parameters, for that many steps: no array is ever made.

    Of a loss at every step, or of the last hidden state.
    """
    model = jr.Stack(cell, jr.Dense(CLASSES)) if per_step else cell
    array = lambda dtype, *size: jax.ShapeDtypeStruct((steps, BATCH, *size), dtype)

    def of_steps(params, xs, labels, mask):
        options = {"mask": mask, "checkpoint": checkpoint}
        return jr.unroll_loss(model, params, xs, labels, jr.cross_entropy, **options)[0]

    def of_the_end(params, xs, labels, mask):
        carry, _ = jr.unroll(model, params, xs, mask=mask, checkpoint=checkpoint)
        return jnp.sum(model.hidden(carry))

    params = jax.eval_shape(lambda key: model.init(key, INPUTS), jax.random.key(0))
    data = (array(np.float32, INPUTS), array(np.int32), array(bool))
    return jax.jit(jax.grad(of_steps if per_step else of_the_end)).lower(params, *data)


@functools.cache
def compiled(*args, **options):
    return lowered(*args, **options).compile()


def instructions(program):
    return program.as_text().count(" = ")


def temporaries(*args, **options):
    return compiled(*args, **options).memory_analysis().temp_size_in_bytes


SIZES = [
    (None, 100_000),  # on a CPU fewer steps are not cut into tiles
    (100, 1_000),
    (300, 1_000),  # which divides neither number of steps
]


@pytest.mark.parametrize(
    "cell", [CELL, pytest.param(DEEP, marks=pytest.mark.slow)], ids=["one", "deep"]
)
@pytest.mark.parametrize(("checkpoint", "steps"), SIZES)
def test_the_program_does_not_grow(checkpoint, steps, cell):
    short, long = (
        instructions(lowered(steps, checkpoint, cell=cell))
        for steps in (steps, 1_000_000)
    )
    assert short == long


def test_what_chunks_leave_over_costs_one_chunk_more():
    """The program then holds the chunk once more."""
    whole, left = (instructions(lowered(1_000, size)) for size in (100, 300))
    assert whole < left < 2 * whole


@pytest.mark.parametrize(
    ("checkpoint", "steps", "cell"),
    [
        (100, 1_000, CELL),
        pytest.param(None, 100_000, CELL, marks=pytest.mark.slow),
        pytest.param(300, 1_000, CELL, marks=pytest.mark.slow),
        pytest.param(100, 1_000, DEEP, marks=pytest.mark.slow),
    ],
)
def test_nor_does_what_is_compiled_of_it(checkpoint, steps, cell):
    """But for XLA, which sums long arrays in stages: a handful of instructions."""
    short, long = (
        instructions(compiled(steps, checkpoint, cell=cell))
        for steps in (steps, 1_000_000)
    )
    assert abs(long - short) < 0.05 * short


def growth(checkpoint, per_step):
    """How many times the memory 16 times as many steps need."""
    few, many = (
        temporaries(steps, checkpoint, per_step=per_step) for steps in (1_024, 16_384)
    )
    return many / few


@pytest.mark.parametrize(
    "per_step", [True, pytest.param(False, marks=pytest.mark.slow)]
)
def test_memory_grows_with_the_root_of_time(per_step):
    assert growth("sqrt", per_step) < 6


@pytest.mark.slow
@pytest.mark.parametrize("per_step", [True, False])
def test_without_a_checkpoint_memory_grows_with_time(per_step):
    assert 12 < growth(None, per_step) < 17


@pytest.mark.slow
def test_the_root_is_about_the_best_number_of_steps():
    root, *others = (
        temporaries(4_096, size, per_step=False) for size in ("sqrt", 4, 1_024)
    )
    assert root < min(others)


# On a CPU a long sequence is cut into tiles that fit the cache, checkpoint or not.


@pytest.mark.parametrize(
    ("steps", "limit", "expected"),
    [
        (96, 48 * 40, None),
        (96, 48 * 40 - 1, 32),
        (96, 35 * 40, 32),  # a divisor that is near
        (97, 35 * 40, 35),  # none is
        (96, 10, 1),  # a step is always whole
        (0, 10, None),
    ],
)
def test_tiles_fit_and_divide_where_they_can(steps, limit, expected):
    array = lambda *size: jax.ShapeDtypeStruct((steps, *size), np.float32)
    assert tile_size({"a": array(2, 3), "b": array(4)}, 1024, limit=limit) == expected


@pytest.mark.parametrize(("steps", "reverse"), [(12, False), (13, True)])
def test_tiles_change_no_number(monkeypatch, steps, reverse):
    rng = np.random.default_rng(0)
    xs, weights = rng.normal(size=(steps, 2, 3)), rng.normal(size=(steps, 2, 4))
    flags = rng.random((2, steps, 2)) < 0.6

    def run(cell):
        def objective(params, xs):
            carry, ys, hidden = jr.unroll(
                cell,
                params,
                xs,
                mask=flags[0],
                reset=flags[1],
                reverse=reverse,
                collect=cell.hidden,
            )
            return jnp.sum(weights * ys), (carry, hidden)

        gradient = jax.value_and_grad(objective, argnums=(0, 1), has_aux=True)
        return jax.jit(gradient)(parameters(cell, 3), xs)

    whole = run(jr.Elman(4, param_dtype="float64"))
    monkeypatch.setattr(chunks, "_TILE_BYTES", 5 * 2 * 4 * 8)  # 5 steps, or 4 of 12
    monkeypatch.setattr(chunks, "_TILE_ROWS", 1)
    # The same numbers, but another cell: no program is in store.
    cell = jr.Elman(4, param_dtype="float64", dtype="float64")
    close(run(cell), whole)


# The function itself, against the loop over chunks that it stands for.


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("size", [1, 3, 4, 7, 12])
def test_chunks_come_in_order_and_outputs_in_place(size, reverse):
    """The carry knows in which order they came: nothing commutes here."""
    steps, first = 12, np.ones(2)
    xs = np.random.default_rng(0).normal(size=(steps, 2))

    def chunk(carry, xs, np=jnp):
        places = np.arange(1.0, len(xs) + 1)[:, None]
        carry = np.sin(carry + np.sum(places * xs, 0))
        return carry, {"y": xs * carry}

    carry, outs = first, []
    parts = [xs[at : at + size] for at in range(0, steps, size)]
    for part in reversed(parts) if reverse else parts:
        carry, out = chunk(carry, part, np)
        outs.append(out["y"])
    expected = carry, {"y": np.concatenate(outs[::-1] if reverse else outs)}
    close(scan_chunks(chunk, first, xs, size, reverse=reverse), expected)


@pytest.mark.parametrize("steps", [1, 2, 15, 16, 17, 1_000, 10**10])
def test_the_root_of_the_steps(steps):
    size = chunk_size("sqrt", steps)
    assert (size - 1) ** 2 < steps <= size**2
    assert size == math.isqrt(steps - 1) + 1


def test_a_chunk_is_never_longer_than_the_sequence():
    assert chunk_size(50, 7) == 7
    assert chunk_size(7, 7) == 7
    assert chunk_size(None, 7) is chunk_size(3, 0) is chunk_size("sqrt", 0) is None


@pytest.mark.parametrize(
    ("checkpoint", "error", "message"),
    [
        (0, ValueError, "`checkpoint` must be at least 1, got 0"),
        (-2, ValueError, "`checkpoint` must be at least 1, got -2"),
        (2.5, TypeError, "`checkpoint` must be an integer, got 2.5"),
        (True, TypeError, "`checkpoint` must be an integer, got True"),
        (
            "log",
            ValueError,
            "`checkpoint` must be a number of steps or 'sqrt', got 'log'",
        ),
    ],
)
def test_bad_numbers_of_steps(checkpoint, error, message):
    cell = jr.Elman(3)
    params = {"kernel": 0, "recurrent_kernel": 0, "bias": 0}
    with pytest.raises(error, match=f"^{message}$"):
        jr.unroll(cell, params, np.zeros((5, 2, 4)), checkpoint=checkpoint)
