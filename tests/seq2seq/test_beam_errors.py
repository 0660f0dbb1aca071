"""Beam search and decoding: what does not fit is told by name."""

import re

import jax
import jax.numpy as jnp
import pytest

import jaxrnn as jr
from drawn import parameters

V = 6
MODEL = jr.Stack(jr.Embed(V, 3), jr.Elman(4), jr.Dense(V), param_dtype="float64")
PARAMS = parameters(MODEL)
FIRST = jnp.array([0, 5, 2])
STEP = lambda params, carry, x: (carry, jax.nn.one_hot(x, V))

SHARED = [
    ({"steps": -1}, ValueError, "`steps` must be at least 0, got -1"),
    ({"steps": 2.0}, TypeError, "`steps` must be an integer, got 2.0"),
    ({"end": -1}, ValueError, "`end` must be at least 0, got -1"),
    (
        {"end": V},
        ValueError,
        "`end` must be a symbol of the vocabulary, in [0, 6), got 6",
    ),
    ({"min_steps": 4}, ValueError, "`min_steps` must be at most `steps`, 3, got 4"),
    (
        {"model": 3},
        TypeError,
        "`model` must be a cell or a step function, got 3",
    ),
    (
        {"model": STEP},
        ValueError,
        "`carry` must be given for the step function <function",
    ),
    (
        {"model": (MODEL, MODEL), "params": (PARAMS,)},
        ValueError,
        "`params` must be a tuple with one entry a model, 2, got 1",
    ),
    (
        {"model": (), "params": ()},
        ValueError,
        "`model` must be a cell, or a tuple of at least one, got ()",
    ),
    (
        {"model": jr.Stack(jr.Embed(V, 3), jr.Bidirectional(jr.Elman(2)))},
        ValueError,
        "`model` must be able to step, got Stack(",
    ),
    (
        {"model": jr.Elman(4)},
        ValueError,
        "`model` must read token ids, got Elman(4)",
    ),
    (
        {"first": jnp.zeros(3)},
        TypeError,
        "`first` must be token ids, integers, got float64[3]",
    ),
    (
        {"first": jnp.array([0, V])},
        ValueError,
        "token ids must lie in [0, vocab_size) = [0, 6), got values from 0 to 6",
    ),
    (
        {"model": lambda params, carry, x: carry, "carry": jnp.zeros(3)},
        TypeError,
        "must return a pair (carry, logits)",
    ),
    (
        {"model": lambda params, carry, x: (carry[0], x), "carry": jnp.zeros((3, 2))},
        ValueError,
        "must return a carry like the one it got; at carry expected float64[3, 2], "
        "got float64[2]",
    ),
    (
        {"model": lambda params, carry, x: (carry, x), "carry": jnp.zeros(3)},
        ValueError,
        "must return floating logits (*batch, V), with *batch = (3,), got int32[3]",
    ),
    (
        {
            "model": (STEP, lambda params, carry, x: (carry, jnp.zeros((3, 2)))),
            "params": ((), ()),
            "carry": ((), ()),
        },
        ValueError,
        "all models must have one vocabulary, got sizes [6, 2]",
    ),
]
BEAM = [
    ({"beam": 0}, ValueError, "`beam` must be at least 1, got 0"),
    ({"nbest": 3}, ValueError, "`nbest` must be at most `beam`, 2, got 3"),
    ({"groups": 3}, ValueError, "`groups` must divide `beam`, 2, got 3"),
    ({"no_repeat": -1}, ValueError, "`no_repeat` must be at least 0, got -1"),
    (
        {"length_penalty": "mean"},
        ValueError,
        "`length_penalty` must be a number or 'average', got 'mean'",
    ),
    (
        {"length_penalty": float("nan")},
        ValueError,
        "`length_penalty` must be finite, got nan",
    ),
    (
        {"length_penalty": None},
        TypeError,
        "`length_penalty` must be a number, got None",
    ),
    (
        {"coverage_penalty": jnp.array(-0.1), "collect": lambda carry: carry},
        ValueError,
        "`coverage_penalty` must be at least 0 and finite, got -0.1",
    ),
    (
        {"diversity": jnp.zeros(2)},
        TypeError,
        "`diversity` must be a number, got Array([0., 0.]",
    ),
    (
        {"coverage_penalty": -0.1, "collect": lambda carry: carry},
        ValueError,
        "`coverage_penalty` must be at least 0 and finite, got -0.1",
    ),
    (
        {"coverage_penalty": 0.1},
        ValueError,
        "`coverage_penalty` needs the alignments: give `collect`",
    ),
    (
        {"coverage_penalty": 0.1, "collect": lambda carry: {"a": carry[1]}},
        ValueError,
        "with `coverage_penalty`, `collect` must give the alignment, (*batch, S) with "
        "*batch = (3,), got dict",
    ),
    (
        {"diversity": -1.0},
        ValueError,
        "`diversity` must be at least 0 and finite, got -1.0",
    ),
    (
        {"prefix": jnp.zeros((2, 2), int)},
        ValueError,
        "`prefix` must have shape (T, *batch), T at most 3 and *batch = (3,), got "
        "(2, 2)",
    ),
    (
        {"prefix": jnp.zeros((4, 3), int)},
        ValueError,
        "`prefix` must have shape (T, *batch), T at most 3",
    ),
    (
        {"prefix": jnp.zeros((1, 3))},
        TypeError,
        "`prefix` must be integers, got float64[1, 3]",
    ),
    (
        {"prefix": jnp.full((1, 3), -2)},
        ValueError,
        "`prefix` must be symbols, or -1 where free, got -2",
    ),
]
DECODE = [
    (
        {"sampler": jr.Sampler()},
        ValueError,
        "`key` must be given for a `Sampler` to draw with",
    ),
    (
        {"sampler": lambda log_p, key: log_p},
        ValueError,
        "`sampler` must give the next symbols, of shape (3,), got (3, 6) from "
        "log-probabilities of shape (3, 6)",
    ),
]
CASES = [("beam_search", *case) for case in SHARED + BEAM]
CASES += [("decode", *case) for case in SHARED + DECODE]


@pytest.mark.parametrize(("name", "changes", "error", "message"), CASES)
def test_bad_arguments(name, changes, error, message):
    given = {"model": MODEL, "params": PARAMS, "first": FIRST, "steps": 3, "end": 0}
    if name == "beam_search":
        given["beam"] = 2
    with pytest.raises(error, match=re.escape(message)):
        getattr(jr, name)(**(given | changes))
