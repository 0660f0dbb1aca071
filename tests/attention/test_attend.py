"""A cell that looks at a memory, against the equations row by row."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from jaxrnn import attention as ja
from laws.harness import close, finite, same_bits
from laws.oracles_attention import ATTENTIONS

T, B, N, H, S, M = 5, 4, 3, 6, 7, 2
_rng = np.random.default_rng(0)
XS = _rng.normal(size=(T, B, N))
MEMORY = _rng.normal(size=(B, S, M))
REAL = np.arange(S) < np.array([7, 3, 1, 0])[:, None]
CELL = jr.Attend(jr.Elman(H), memory_size=M, param_dtype="float64")
PARAMS = parameters(CELL, N)
CONTEXT = {"memory": MEMORY, "mask": REAL}
look = functools.partial(jr.unroll, CELL, PARAMS, XS, collect=lambda c: c.alignment)


def by_hand():
    own = jax.tree.map(np.asarray, PARAMS["cell"])
    ys, alignments = np.zeros((T, B, H)), np.zeros((T, B, S))
    for row in range(B):
        h, memory = np.zeros(H), MEMORY[row][REAL[row]]
        for t in range(T):
            scores = np.exp(
                [h @ (PARAMS["attention"]["key_kernel"].T @ m) for m in memory]
            )
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
    model = jr.Stack(CELL, jr.Attend(jr.Elman(4), memory_size=M), param_dtype="float64")
    params = (PARAMS, parameters(model.cells[1], H))
    first, ys = jr.unroll(CELL, PARAMS, XS, context=CONTEXT)
    second, ys = jr.unroll(model.cells[1], params[1], ys, context=CONTEXT)
    close(jr.unroll(model, params, XS, context=CONTEXT), ((first, second), ys))


@pytest.mark.slow
def test_the_cell_inside_draws_as_it_does_alone():
    noisy = jr.Attend(jr.Stack(jr.Dropout(0.5), jr.Elman(H)), memory_size=M)
    params = PARAMS | {"cell": ({}, PARAMS["cell"])}
    key, context = jax.random.key(1), {"memory": np.zeros((B, S, M))}
    alone = (jr.Stack(jr.Dropout(0.5), jr.Elman(H)), params["cell"])
    wide = np.concatenate([XS, np.zeros((T, B, M))], axis=-1)  # what it reads is zero
    carry, ys = jr.unroll(*alone, wide, key=key)
    got, outputs = jr.unroll(noisy, params, XS, key=key, context=context)
    close((got.cell, outputs), (carry, ys))


def test_looking_after_the_step_is_its_equations():
    inner = jr.Elman(H)
    cell = jr.Attend(inner, ja.Additive(5), memory_size=M, look="after", size=8)
    params = parameters(cell.replace(param_dtype="float64"), N)
    own, score = jax.tree.map(np.asarray, (params["cell"], params["attention"]))
    alone, ys = ATTENTIONS["Additive"], np.zeros((T, B, 8))
    for row in range(B):
        h, y, memory = np.zeros(H), np.zeros(8), MEMORY[row][REAL[row]]
        for t in range(T):
            sums = np.concatenate([XS[t, row], y]) @ own["kernel"] + own["bias"]
            h, c = np.tanh(sums + h @ own["recurrent_kernel"]), np.zeros(M)
            if len(memory):
                _, c = alone(cell.attention, score, h, memory, memory, {})
            y = np.tanh(np.concatenate([c, h]) @ params["output_kernel"])
            ys[t, row] = y
    carry, got = jr.unroll(cell, params, XS, context=CONTEXT)
    close(got, ys)
    close(carry.fed, ys[-1])
    assert cell.output_size(N) == 8


def test_without_feeding_the_cell_runs_as_it_does_alone():
    cell = jr.Attend(jr.GRU(H), memory_size=M, look="after", feed=False)
    params = parameters(cell.replace(param_dtype="float64"), N)
    carry, ys = jr.unroll(cell, params, XS, context=CONTEXT)
    assert carry.fed is None
    assert ys.shape == (T, B, H) == (T, B, cell.output_size(N))
    close(carry.cell, jr.unroll(cell.cell, params["cell"], XS)[0])


def test_coverage_is_the_sum_of_the_alignments():
    cell = jr.Attend(jr.Elman(H), ja.Additive(5, coverage=True), memory_size=M)
    params = parameters(cell.replace(param_dtype="float64"), N)
    every = {"context": CONTEXT, "collect": lambda carry: carry.look}
    _, _, looks = jr.unroll(cell, params, XS, **every)
    close(looks.coverage, np.cumsum(looks.alignment, axis=0))
    assert jr.unroll(CELL, PARAMS, XS, context=CONTEXT)[0].look.coverage is None


def test_a_key_makes_a_monotonic_attention_soft():
    cell = jr.Attend(jr.Elman(H), ja.Monotonic(5), memory_size=M)
    params = parameters(cell.replace(param_dtype="float64"), N)
    every = {"context": CONTEXT, "collect": lambda carry: carry.alignment}
    soft, again, hard = (
        jr.unroll(cell, params, XS, key=key, **every)[2]
        for key in (jax.random.key(0), jax.random.key(1), None)
    )
    assert set(np.unique(hard)) == {0.0, 1.0}
    assert len(np.unique(soft)) > 50
    assert not np.allclose(soft, again)
    assert np.all(soft.sum(axis=-1) <= 1 + 1e-12)


def test_everything_that_is_seen_can_be_put_out():
    cell = CELL.replace(everything=True)
    _, seen = jr.unroll(cell, PARAMS, XS, context=CONTEXT)
    _, ys, alignments = look(context=CONTEXT)
    close((seen.output, seen.alignment), (ys, alignments))
    clean = np.where(REAL[..., None], MEMORY, 0)
    close(seen.context, np.einsum("tbs,bsm->tbm", alignments, clean))


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
    "look": (
        lambda: jr.Attend(jr.GRU(3), memory_size=M, look="during"),
        "`look` must be one of 'before', 'after', got 'during'",
    ),
    "size": (
        lambda: jr.Attend(jr.GRU(3), memory_size=M, size=4),
        '`size` is that of the output of `look="after"`',
    ),
    "around_a_layer": (
        lambda: jr.Attend(jr.Dense(3), memory_size=M),
        "`Attend` needs a cell with a memory, got Dense(3)",
    ),
}


def test_a_number_is_no_attention():
    with pytest.raises(TypeError, match=r"^`attention` must be an attention"):
        jr.Attend(jr.GRU(3), 6, memory_size=6)


@pytest.mark.parametrize("call, message", ERRORS.values(), ids=ERRORS.keys())
def test_errors(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        call()
