"""A cell that looks at a memory, against the equations row by row."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from laws.harness import close, finite, same_bits

T, B, N, H, S, M = 5, 4, 3, 6, 7, 2
_rng = np.random.default_rng(0)
XS = _rng.normal(size=(T, B, N))
MEMORY = _rng.normal(size=(B, S, M))
REAL = np.arange(S) < np.array([7, 3, 1, 0])[:, None]
CELL = jr.Attend(jr.Elman(H), M, param_dtype="float64")
PARAMS = parameters(CELL, N)
CONTEXT = {"memory": MEMORY, "mask": REAL}
look = functools.partial(jr.unroll, CELL, PARAMS, XS, collect=lambda c: c.alignment)


def by_hand():
    own = jax.tree.map(np.asarray, PARAMS["cell"])
    ys, alignments = np.zeros((T, B, H)), np.zeros((T, B, S))
    for row in range(B):
        h, memory = np.zeros(H), MEMORY[row][REAL[row]]
        for t in range(T):
            scores = np.exp([h @ (PARAMS["key_kernel"].T @ m) for m in memory])
            weights = scores / scores.sum() if len(memory) else np.zeros(0)
            c = sum((w * m for w, m in zip(weights, memory, strict=True)), np.zeros(M))
            sums = np.concatenate([XS[t, row], c]) @ own["kernel"] + own["bias"]
            h = ys[t, row] = np.tanh(sums + h @ own["recurrent_kernel"])
            alignments[t, row, : len(memory)] = weights
    return ys, alignments


def test_is_its_equations():
    carry, ys, alignments = look(context=CONTEXT)
    close((ys, alignments), by_hand())
    close(carry.alignment, alignments[-1])
    assert CELL.output_size(N) == H


def test_22_alignments_sum_to_one_over_real_positions_and_to_zero_without_any():
    _, _, alignments = look(context=CONTEXT)
    close(alignments.sum(axis=-1), np.tile(REAL.any(axis=1).astype(float), (T, 1)))
    assert not np.any(np.asarray(alignments)[:, ~REAL])


def test_without_a_mask_all_positions_are_real():
    everywhere = CONTEXT | {"mask": np.ones((B, S), bool)}
    close(look(context={"memory": MEMORY}), look(context=everywhere))


def test_22_padding_of_the_memory_reaches_no_value_and_no_gradient():
    @jax.jit
    def run(memory):
        def value(params, memory):
            context = {"memory": memory, "mask": REAL}
            return jnp.sum(jr.unroll(CELL, params, XS, context=context)[1] ** 2)

        return jax.value_and_grad(value, (0, 1))(PARAMS, memory)

    clean = run(np.where(REAL[..., None], MEMORY, 0))
    finite(clean)
    assert not np.any(np.asarray(clean[1][1])[~REAL])
    for garbage in (np.nan, np.inf, 1e30):
        same_bits(run(np.where(REAL[..., None], MEMORY, garbage)), clean)


def test_in_a_stack_each_layer_finds_the_memory():
    model = jr.Stack(CELL, jr.Attend(jr.Elman(4), M), param_dtype="float64")
    params = (PARAMS, parameters(model.cells[1], H))
    first, ys = jr.unroll(CELL, PARAMS, XS, context=CONTEXT)
    second, ys = jr.unroll(model.cells[1], params[1], ys, context=CONTEXT)
    close(jr.unroll(model, params, XS, context=CONTEXT), ((first, second), ys))


@pytest.mark.slow
def test_the_cell_inside_draws_as_it_does_alone():
    noisy = jr.Attend(jr.Stack(jr.Dropout(0.5), jr.Elman(H)), M)
    params = PARAMS | {"cell": ({}, PARAMS["cell"])}
    key, context = jax.random.key(1), {"memory": np.zeros((B, S, M))}
    alone = (jr.Stack(jr.Dropout(0.5), jr.Elman(H)), params["cell"])
    wide = np.concatenate([XS, np.zeros((T, B, M))], axis=-1)  # what it reads is zero
    carry, ys = jr.unroll(*alone, wide, key=key)
    got, outputs = jr.unroll(noisy, params, XS, key=key, context=context)
    close((got.cell, outputs), (carry, ys))


def run(context):
    return lambda: jr.unroll(jr.Stack(CELL), (PARAMS,), XS, context=context)


ERRORS = {
    "no_memory": (
        run(None),
        f"layer 0 of Stack, {CELL}: `Attend` needs a memory: give `context={{'memory': "
        "...}`",
    ),
    "an_array": (
        run(MEMORY),
        f"layer 0 of Stack, {CELL}: `Attend` needs a memory: give `context={{'memory': "
        "...}`",
    ),
    "memory_size": (
        run({"memory": MEMORY[..., :1]}),
        f"layer 0 of Stack, {CELL}: `memory` must have shape (*batch, S, 2), got "
        "(4, 7, 1)",
    ),
    "time_first": (
        run({"memory": MEMORY.swapaxes(0, 1)}),
        "`memory` must start with the batch axes (4,), of (*batch, S, 2), got "
        "(7, 4, 2)",
    ),
    "mask_of_numbers": (
        run(CONTEXT | {"mask": np.ones((B, S), "float32")}),
        f"layer 0 of Stack, {CELL}: `mask` of a memory must be boolean, of shape "
        "(*batch, S) = (4, 7), got float32[4, 7]",
    ),
    "mask_of_another_shape": (
        run(CONTEXT | {"mask": REAL[:, :-1]}),
        f"layer 0 of Stack, {CELL}: `mask` of a memory must be boolean, of shape "
        "(*batch, S) = (4, 7), got bool[4, 6]",
    ),
    "around_a_layer": (
        lambda: jr.Attend(jr.Dense(3), M),
        "`Attend` needs a cell with a memory, got Dense(3)",
    ),
}


@pytest.mark.parametrize("call, message", ERRORS.values(), ids=ERRORS.keys())
def test_errors(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        call()
