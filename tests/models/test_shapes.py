"""The five shapes of the lectures' sequence problems, each the line that solves it."""

import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters

B = 3
READER = jr.Stack(jr.Elman(6), jr.Dense(2))
WRITER = jr.Stack(jr.Embed(4, 3), jr.Elman(6), jr.Dense(4))
TRANSLATOR = jr.EncoderDecoder(WRITER, encoder=jr.Stack(jr.Embed(9, 3), jr.Elman(6)))

# Shape, model, line, and the result with its shape.
LINES = [
    ("one to one", READER, "carry, y = model.step(ready, carry, x)", "y", (B, 2)),
    (
        "one to many",
        WRITER,
        "carry, ids = jr.generate(model, params, first, steps=20)",
        "ids",
        (20, B),
    ),
    (
        "many to one",
        READER,
        'y = jr.pool(jr.unroll(model, params, xs, lengths=lengths)[1], "mean", '
        "lengths=lengths)",
        "y",
        (B, 2),
    ),
    (
        "many to many",
        READER,
        "carry, ys = jr.unroll(model, params, xs, lengths=lengths)",
        "ys",
        (7, B, 2),
    ),
    (
        "many to many of another length",
        TRANSLATOR,
        "carry, logits = jr.unroll(model, params, inputs, "
        'context={"source": source, "lengths": lengths})',
        "logits",
        (4, B, 4),
    ),
]


@pytest.mark.parametrize(
    ("model", "line", "result", "shape"),
    [line[1:] for line in LINES],
    ids=[line[0] for line in LINES],
)
def test_line(model, line, result, shape):
    xs, lengths = jr.pad([np.ones((n, 3), np.float32) for n in (7, 4, 0)])
    scope = {"jr": jr, "model": model, "xs": xs, "lengths": lengths, "x": xs[0]}
    scope["params"] = params = parameters(model, 3 if model is READER else None)
    scope["source"], scope["inputs"] = np.ones((B, 7), int), np.ones((4, B), int)
    scope["first"] = np.ones(B, int)
    if model is READER:
        scope["ready"] = model.prepare(params)
        scope["carry"] = model.initial_carry(scope["ready"], (B,))
    exec(line, scope)
    assert scope[result].shape == shape
    assert np.isfinite(np.asarray(scope[result], float)).all()
