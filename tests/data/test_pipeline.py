"""From sequences as people have them to a loss: few programs, and no padding in it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from jaxrnn.data import batches, gather, pad
from jaxrnn.losses import reduce
from laws.harness import close

INPUTS, HIDDEN, CLASSES, BATCH, BUCKETS, EPOCHS = 3, 6, 5, 4, 2, 2
MODEL = jr.Stack(jr.Elman(HIDDEN), jr.Dense(CLASSES), param_dtype="float64")
PARAMS = parameters(MODEL, INPUTS)

_rng = np.random.default_rng(0)
LENGTHS = [1, 9, 4, 4, 5, 17, 2, 1, 12, 3, 3, 16, 5, 8]
SEQUENCES = [_rng.normal(size=(n, INPUTS)) for n in LENGTHS]
TAGS = [_rng.integers(CLASSES, size=n) for n in LENGTHS]


@functools.cache
def alone(row):
    """The losses of all steps of one sequence, in NumPy."""
    cell, readout = jax.tree.map(np.asarray, PARAMS)
    h, losses = np.zeros(HIDDEN), []
    for x, tag in zip(SEQUENCES[row], TAGS[row], strict=True):
        h = np.tanh(x @ cell["kernel"] + h @ cell["recurrent_kernel"] + cell["bias"])
        logits = h @ readout["kernel"] + readout["bias"]
        losses.append(np.log(np.sum(np.exp(logits))) - logits[tag])
    return np.array(losses)


def gradient_step(traces, **options):
    """A program as training runs it, which notes what it is traced for."""

    def loss(ys, tags):
        traces.append(ys.shape)
        return jr.cross_entropy(ys, tags)

    @jax.jit
    def step(xs, tags, lengths):
        def objective(params):
            rest = (params, xs, tags, loss)
            return jr.unroll_loss(MODEL, *rest, lengths=lengths, **options)[0]

        return jax.value_and_grad(objective)(PARAMS)

    return step


def epoch_of(number):
    return batches(
        SEQUENCES, batch_size=BATCH, max_buckets=BUCKETS, seed=1, epoch=number
    )


def test_two_epochs():
    traces, shapes, fillers = [], set(), 0
    step = gradient_step(traces, reduction="sum")
    (xs, lengths), (tags, _) = pad(SEQUENCES), pad(TAGS)
    at_once = gradient_step([], reduction="sum")(xs, tags, lengths)
    for number in range(EPOCHS):
        parts, seen = [], []
        for xs, lengths, rows in epoch_of(number):
            tags, _ = gather(TAGS, rows, length=len(xs))
            parts.append(step(xs, tags, lengths))
            real = rows[rows >= 0].tolist()
            expected = sum(alone(row).sum() for row in real)
            np.testing.assert_allclose(parts[-1][0], expected, 1e-12)
            fillers += np.sum(lengths == 0)
            shapes.add(xs.shape)
            seen += real
        assert sorted(seen) == list(range(len(SEQUENCES)))
        close(jax.tree.map(lambda *a: sum(a), *parts), at_once)
    assert fillers > 0 and len(traces) == len(shapes) <= BUCKETS


@pytest.mark.parametrize("checkpoint", [None, 4])
def test_the_mean_is_over_real_steps(checkpoint):
    """A short row weighs as much as its steps do, a filler nothing."""
    (xs, lengths, rows), *_ = (
        batch for batch in epoch_of(0) if 0 < np.sum(batch.rows < 0) < BATCH
    )
    tags, _ = gather(TAGS, rows, length=len(xs))
    expected = np.mean(
        np.concatenate([alone(row) for row in rows.tolist() if row >= 0])
    )
    rest, options = (xs, tags, jr.cross_entropy), {"checkpoint": checkpoint}
    value, _ = jr.unroll_loss(MODEL, PARAMS, *rest, lengths=lengths, **options)
    np.testing.assert_allclose(value, expected, 1e-12)


def test_a_label_for_each_sequence():
    """The last state of each row is its own, whatever it is padded to."""
    labels = np.arange(len(SEQUENCES)) % CLASSES
    readout = jax.tree.map(np.asarray, PARAMS[1])
    unroll = jax.jit(functools.partial(jr.unroll, MODEL, PARAMS))
    for xs, lengths, rows in epoch_of(0):
        carry, ys = unroll(xs, lengths=lengths)
        real = rows >= 0
        last = np.maximum(lengths - 1, 0)
        logits = MODEL.hidden(carry) @ readout["kernel"] + readout["bias"]
        close(logits[real], ys[last, np.arange(BATCH)][real])
        mean = reduce(jr.cross_entropy(logits, labels[rows]), real)
        rest = logits[real], labels[rows[real]]
        np.testing.assert_allclose(mean, jnp.mean(jr.cross_entropy(*rest)), 1e-12)
