"""Scheduled sampling: its two ends, its coins, and one program for all rates."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from laws.harness import close, compilations, finite, same_bits

T, B, V = 7, 5, 6
RNG = np.random.default_rng(0)
INPUTS = jnp.asarray(RNG.integers(V, size=(T, B)))
LAYERS = (jr.Embed(V, 3), jr.LSTM(5), jr.Dense(V))
MODEL = jr.Stack(*LAYERS, param_dtype="float64")
PARAMS = parameters(MODEL)
KEY = jax.random.key(3)


def run(rate, inputs=INPUTS, model=MODEL, params=PARAMS, key=KEY, **options):
    return jr.scheduled(model, params, inputs, rate, key=key, **options)


def test_at_rate_0_it_is_unroll():
    close(run(0.0), jr.unroll(MODEL, PARAMS, INPUTS))


def test_at_rate_0_it_is_unroll_with_its_dropout():
    noisy = jr.Stack(LAYERS[0], jr.Dropout(0.5), *LAYERS[1:])
    params = (PARAMS[0], {}, *PARAMS[1:])
    close(
        run(0.0, model=noisy, params=params),
        jr.unroll(noisy, params, INPUTS, key=KEY),
    )


def test_at_rate_1_it_is_generate():
    carry, logits = run(1.0)
    last, ids = jr.generate(MODEL, PARAMS, INPUTS[0], steps=T)
    np.testing.assert_array_equal(logits.argmax(axis=-1), ids)
    close(carry, last)


def test_is_the_loop_of_its_coins():
    """What was read, told from the logits: each row by hand."""
    _, logits = run(0.5)
    ready, own = MODEL.prepare(PARAMS), 0
    for b in range(B):
        carry = MODEL.initial_carry(ready, ())
        for t in range(T):
            given = INPUTS[t, b]
            following, y = MODEL.step(ready, carry, given)
            if not np.allclose(y, logits[t, b], 1e-9):
                own += 1
                said = jnp.argmax(logits[t - 1, b])
                following, y = MODEL.step(ready, carry, said)
            close(y, logits[t, b], 1e-9)
            carry = following
    assert 5 < own < (T - 1) * B - 5


def test_the_first_symbol_is_always_given():
    close(run(1.0)[1][0], jr.unroll(MODEL, PARAMS, INPUTS[:1])[1][0])


def test_lengths_and_chunks():
    lengths = np.array([7, 0, 3, 5, 1])
    junk = jnp.where(np.arange(T)[:, None] < lengths, INPUTS, -9)
    clean = run(0.5, lengths=lengths)
    same_bits(run(0.5, junk, lengths=lengths), clean)
    close(run(0.5, lengths=lengths, checkpoint=3), clean)
    _, ys = clean
    assert not np.any(np.asarray(ys)[:, 1])
    close(ys[0, 4], run(0.5)[1][0, 4])


def test_a_sampler_draws_under_the_key():
    one, again, other = (
        run(1.0, key=jax.random.key(seed), sampler=jr.Sampler(2.0))[1]
        for seed in (0, 0, 1)
    )
    same_bits(one, again)
    assert not np.allclose(one, other)


def test_gradients_are_finite_and_reach_every_parameter():
    loss = lambda params, rate: jnp.mean(
        jr.cross_entropy(run(rate, params=params)[1], INPUTS)
    )
    slopes = jax.jit(jax.grad(loss))(PARAMS, 0.5)
    finite(slopes)
    assert all(np.any(a) for a in jax.tree.leaves(slopes))


def test_another_rate_is_no_other_program():
    run(0.25)
    with compilations() as names:
        run(0.75)
    assert not names


def test_own_symbols_train_like_any_cell():
    model = jr.OwnSymbols(MODEL)
    xs = jnp.where(RNG.random((T, B)) < 0.5, -1, INPUTS).at[0].set(INPUTS[0])
    loss, _ = jr.unroll_loss(
        model, {"cell": PARAMS}, xs, INPUTS, jr.cross_entropy, checkpoint=2
    )
    _, ys = jr.unroll(model, {"cell": PARAMS}, xs)
    close(loss, jnp.mean(jr.cross_entropy(ys, INPUTS)))


ERRORS = {
    "rate": (
        lambda: run(1.5),
        ValueError,
        "`rate` must lie in [0, 1], got 1.5",
    ),
    "key": (
        lambda: run(0.5, key=None),
        ValueError,
        "`scheduled` tosses coins: `key` must be given",
    ),
    "inputs": (
        lambda: run(0.5, np.ones((T, B))),
        TypeError,
        "`inputs` must be ids of shape [T, *batch], got float64[7, 5]",
    ),
    "unknown_id": (
        lambda: run(0.5, -INPUTS),
        ValueError,
        "token ids must lie in [0, vocab_size) = [0, 6), got values from -5 to 0",
    ),
    "model": (
        lambda: run(0.5, model=jr.GRU(3)),
        ValueError,
        "`OwnSymbols` needs a model of ids that can step, got GRU(3)",
    ),
}


def test_ids_of_any_integers():
    """An unsigned -1 is the largest number, and not "your own symbol"."""
    close(run(1.0, INPUTS.astype(jnp.uint8)), run(1.0))


def test_what_stands_in_padding_is_no_id_and_what_does_not_must_be_one():
    lengths = jnp.full(B, T - 1)
    close(run(0.5, INPUTS.at[-1].set(-7), lengths=lengths), run(0.5, lengths=lengths))
    with pytest.raises(ValueError, match="-7"):
        run(0.5, INPUTS.at[0].set(-7), lengths=lengths)


def test_a_sampler_shows_as_it_was_made():
    assert "Sampler(temperature=0.5" in repr(jr.OwnSymbols(MODEL, jr.Sampler(0.5)))


@pytest.mark.parametrize("call, error, message", ERRORS.values(), ids=ERRORS.keys())
def test_errors(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        call()
