"""An encoder-decoder: two loops by hand, padding of both sides, and a task learnt."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxrnn as jr
from drawn import parameters
from laws.harness import close

S, T, B, V, W = 5, 7, 3, 6, 4
ENCODER = jr.Stack(jr.Embed(V, 2), jr.LSTM(5))
DECODER = jr.Stack(jr.Embed(W, 3), jr.LSTM(5), jr.Dense(W))
MODEL = jr.EncoderDecoder(DECODER, encoder=ENCODER, param_dtype="float64")
PARAMS = parameters(MODEL)
RNG = np.random.default_rng(0)
SOURCE, INPUTS = RNG.integers(V, size=(B, S)), RNG.integers(W, size=(T, B))
LENGTHS, TARGET_LENGTHS = np.array([5, 0, 3]), np.array([4, 7, 0])
CONTEXT = {"source": SOURCE, "lengths": LENGTHS}


def by_hand(b):
    """Row b: each cell stepped on its own, the state handed over layer by layer."""
    encoder, decoder = MODEL.encoder, MODEL.cell
    ready = encoder.prepare(PARAMS["encoder"])
    carry, ys = encoder.initial_carry(ready, ()), []
    for symbol in SOURCE[b, : LENGTHS[b]]:
        carry, _ = encoder.step(ready, carry, jnp.asarray(symbol))
    carry = (*carry, ())  # the decoder's affine map has none
    for symbol in INPUTS[: TARGET_LENGTHS[b], b]:
        ready = decoder.prepare(PARAMS["cell"])
        carry, y = decoder.step(ready, carry, jnp.asarray(symbol))
        ys.append(np.asarray(y))
    return ys


@pytest.fixture(scope="module")
def logits():
    lengths = jnp.asarray(TARGET_LENGTHS)
    return jr.unroll(MODEL, PARAMS, INPUTS, context=CONTEXT, lengths=lengths)[1]


def test_equals_two_loops(logits):
    for b in range(B):
        for t, y in enumerate(by_hand(b)):
            np.testing.assert_allclose(logits[t, b], y, 1e-11)
        assert not logits[TARGET_LENGTHS[b] :, b].any()


def test_padding_of_the_source_changes_no_bit(logits):
    # Ids have no NaN: any other id, and more of them.
    junk = np.where(np.arange(S) < LENGTHS[:, None], SOURCE, V - 1)
    longer = np.concatenate([junk, RNG.integers(V, size=(B, 2))], axis=1)
    context = {"source": longer, "lengths": LENGTHS}
    lengths = jnp.asarray(TARGET_LENGTHS)
    _, got = jr.unroll(MODEL, PARAMS, INPUTS, context=context, lengths=lengths)
    np.testing.assert_array_equal(got, logits)


def test_a_reset_goes_back_to_the_source():
    reset = np.zeros((T, B), bool)
    reset[3] = True
    _, ys = jr.unroll(MODEL, PARAMS, INPUTS, context=CONTEXT, reset=reset)
    _, fresh = jr.unroll(MODEL, PARAMS, INPUTS[3:], context=CONTEXT)
    np.testing.assert_allclose(ys[3:], fresh, 1e-11)


@pytest.mark.slow
def test_the_encoder_learns_through_the_state_alone():
    def objective(params):
        rest = (params, INPUTS, INPUTS, jr.cross_entropy)
        return jr.unroll_loss(MODEL, *rest, context=CONTEXT)[0]

    gradient = jax.jit(jax.grad(objective))(PARAMS)
    direction = parameters(MODEL, seed=1)
    slope = sum(
        jnp.sum(a * b)
        for a, b in zip(*map(jax.tree.leaves, (gradient, direction)), strict=True)
    )
    move = lambda e: jax.tree.map(lambda p, d: p + e * d, PARAMS, direction)
    value = jax.jit(objective)
    finite = (value(move(1e-5)) - value(move(-1e-5))) / 2e-5
    np.testing.assert_allclose(slope, finite, 1e-7)
    assert all(g.any() for g in jax.tree.leaves(gradient["encoder"]))


def test_files_and_summaries(tmp_path):
    jr.save(tmp_path / "model", MODEL, PARAMS)
    model, params = jr.load(tmp_path / "model")
    assert model == MODEL
    jax.tree.map(np.testing.assert_array_equal, params, PARAMS)
    assert "encoder" in str(jr.summary(MODEL))


def test_a_bidirectional_encoder_may_not_be_able_to_step():
    both = jr.Bidirectional(jr.Elman(2))
    decoder = jr.Stack(jr.Elman(2), jr.Elman(2))
    model = jr.EncoderDecoder(decoder, encoder=both, source_size=3)
    assert model.causal and not both.causal
    params = parameters(model, 4)
    context = {"source": np.ones((B, S, 3), np.float32)}
    xs = np.ones((T, B, 4), np.float32)
    assert jr.unroll(model, params, xs, context=context)[1].shape == (T, B, 2)


ATTENDING = jr.EncoderDecoder(
    jr.Stack(
        jr.Embed(W, 3),
        jr.Attend(jr.GRU(7), jr.attention.Additive(8), memory_size=10, look="after"),
        jr.Dense(W),
    ),
    encoder=jr.Stack(jr.Embed(V, 2), jr.Bidirectional(jr.LSTM(5))),
    bridge=jr.Bridge(),
    param_dtype="float64",
)
ATTENDING_PARAMS = parameters(ATTENDING)


def alignment_of(carry):
    return carry[1].alignment


def attending(context):
    options = {"collect": alignment_of}
    return jr.unroll(ATTENDING, ATTENDING_PARAMS, INPUTS, context=context, **options)


def test_the_decoder_looks_at_what_the_encoder_put_out():
    carry, ys, alignments = attending(CONTEXT)
    lengths = jnp.asarray(LENGTHS)
    encoder, params = ATTENDING.encoder, ATTENDING_PARAMS
    last, memory = jr.unroll(encoder, params["encoder"], SOURCE.T, lengths=lengths)
    real = np.arange(S) < LENGTHS[:, None]
    context = {"memory": memory.swapaxes(0, 1), "mask": real}
    ready = ATTENDING.cell.prepare(params["cell"], context=context)
    first = ATTENDING.cell.initial_carry(ready, (B,))
    first = ATTENDING.bridge(params["bridge"], last, first, 1)
    options = {"context": context, "collect": alignment_of}
    by_hand = jr.unroll(ATTENDING.cell, params["cell"], INPUTS, first, **options)
    close((carry, ys, alignments), by_hand)
    sums = np.tile((LENGTHS > 0).astype(float), (T, 1))
    close(alignments.sum(axis=-1), sums)
    assert not np.any(np.asarray(alignments)[:, ~real])


def test_a_row_of_a_batch_is_its_source_alone():
    _, ys, alignments = attending(CONTEXT)
    for b in (0, 1):  # all of it, and nothing
        alone = {"source": SOURCE[b], "lengths": LENGTHS[b]}
        options = {"context": alone, "collect": alignment_of}
        row = jr.unroll(ATTENDING, ATTENDING_PARAMS, INPUTS[:, b], **options)
        close(row[1:], (ys[:, b], alignments[:, b]))


@pytest.mark.slow
def test_without_lengths_all_of_the_source_is_real():
    whole = {"source": SOURCE, "lengths": np.full(B, S)}
    close(attending({"source": SOURCE}), attending(whole))


def test_a_bridge_in_its_place_hands_the_carry_on_and_no_look():
    """Attends of the same memory at both ends: their looks stay apart."""
    decoder = jr.Attend(jr.LSTM(5), memory_size=5)
    model = jr.EncoderDecoder(decoder, encoder=jr.LSTM(5), source_size=2)
    params = parameters(model, 3)
    context = {"source": RNG.normal(size=(B, S, 2)).astype("float32")}
    ready = model.prepare(params, context=context)
    carry = model.initial_carry(ready, (B,))
    close(carry.cell, ready["start"])
    assert carry.alignment.shape == (B, S)
    assert not np.any(carry.alignment)


@pytest.mark.slow
@pytest.mark.usefixtures("standard_promotion")
def test_it_learns_to_reverse():
    # Three symbols in, the same backwards out: the state is all that links them.
    rng = np.random.default_rng(0)
    source = rng.integers(1, 4, (3, 32))
    targets, first = source[::-1], np.zeros((1, 32), int)
    inputs = np.concatenate([first, targets[:-1]])
    model = jr.EncoderDecoder(
        jr.Stack(jr.Embed(4, 8), jr.GRU(32), jr.Dense(4)),
        encoder=jr.Stack(jr.Embed(4, 8), jr.GRU(32)),
    )
    params = model.init(jax.random.key(0))
    optimizer = optax.adam(0.01)
    context = {"source": source.T}

    def objective(params, batch, carry, key):
        loss, _ = jr.unroll_loss(
            model, params, inputs, targets, jr.cross_entropy, context=context
        )
        return loss, None

    state = jr.init_state(params, optimizer, jax.random.key(1))
    step = jr.train_step(objective, optimizer)
    for _ in range(150):
        state, _ = step(state, None)
    _, said = jr.generate(model, state.params, first[0], steps=3, context=context)
    assert (said == targets).mean() > 0.95


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: jr.EncoderDecoder(DECODER, encoder=3),
            TypeError,
            "`encoder` must be a cell, got 3",
        ),
        (
            lambda: jr.EncoderDecoder(DECODER, encoder=ENCODER, bridge="tanh"),
            TypeError,
            "`bridge` must be a `Bridge`, got 'tanh'",
        ),
        (
            lambda: jr.EncoderDecoder(jr.Dense(2), encoder=ENCODER),
            ValueError,
            "`EncoderDecoder` needs a cell with a memory, got Dense(2)",
        ),
        (
            lambda: jr.unroll(MODEL, PARAMS, INPUTS),
            ValueError,
            "`EncoderDecoder` needs a source: give `context={'source': ...}`",
        ),
        (
            lambda: jr.unroll(MODEL, PARAMS, INPUTS, context={"source": SOURCE[:2]}),
            ValueError,
            "`source` must start with the batch axes (3,), and the encoder ended in "
            "float64[2, 5]",
        ),
        (
            lambda: jr.EncoderDecoder(DECODER, encoder=jr.Embed(9, 3)),
            ValueError,
            "`encoder` must have a memory, got Embed(9, 3)",
        ),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        call()
