"""The character language model: its parts, its judgement, its writing."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from jaxrnn.data import Vocabulary
from jaxrnn.models import (
    LanguageConfig,
    bits_per_character,
    language_model,
    sample,
)
from jaxrnn.models.sampling import CHUNK, _draw

V = 7
VOCABULARY = Vocabulary("\nabcdef")
MODEL = language_model(LanguageConfig(hidden_size=6, embedding=3), V)
PARAMS = jax.tree.map(lambda a: 2 * a, MODEL.init(jax.random.key(0)))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "Stack(Embed(7, 64), LSTM(512), Dropout(0.5), Dense(7))"),
        (
            {"cell": "gru", "layers": 2, "hidden_size": 5, "dropout": 0.0},
            "Stack(Embed(7, 64), GRU(5, reset='after'), GRU(5, reset='after'), "
            "Dense(7))",
        ),
        (
            {"cell": "elman", "hidden_size": 5, "embedding": 0, "dropout": 0.25},
            "Stack(OneHot(7), Elman(5), Dropout(0.25), Dense(7))",
        ),
    ],
)
def test_models(settings, expected):
    assert repr(language_model(LanguageConfig(**settings), V)) == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "rnn"}, "`cell` must be one of 'elman', 'gru', 'lstm', got 'rnn'"),
        ({"hidden_size": 0}, "`hidden_size` must be at least 1, got 0"),
        ({"embedding": -1}, "`embedding` must be at least 1, got -1"),
        ({"dropout": 1.5}, r"`dropout` must lie in \[0, 1\], got 1.5"),
        ({"learning_rate": float("nan")}, "`learning_rate` must be positive and fin"),
        ({"clip": -1.0}, "`clip` must be positive and finite, got -1.0"),
        ({"seed": -1}, "`seed` must lie in"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        LanguageConfig(**settings)


def slow_bits(ids):
    """-log2 p of each character but the first, a step at a time."""
    ready = MODEL.prepare(PARAMS)
    carry, bits = MODEL.initial_carry(ready, ()), []
    for symbol, following in itertools.pairwise(ids):
        carry, logits = MODEL.step(ready, carry, jnp.asarray(symbol))
        bits.append(-float(jax.nn.log_softmax(logits)[following]) / np.log(2))
    return np.array(bits, np.float64)


@pytest.mark.parametrize("length", [2, 5, 6, 30])
def test_bits_count_every_character_but_the_first(length):
    ids = np.random.default_rng(length).integers(0, V, length)
    found = bits_per_character(MODEL, PARAMS, ids, streams=1, window=4)
    np.testing.assert_allclose(found, slow_bits(ids).mean(), rtol=1e-5)


def test_streams_are_cut_where_the_text_is():
    ids = np.random.default_rng(0).integers(0, V, 41)
    found = bits_per_character(MODEL, PARAMS, ids, streams=3, window=4)
    parts = [slow_bits(ids[a : a + 15]) for a in (0, 14, 28)]
    expected = np.concatenate(parts).sum() / 40
    assert sum(map(len, parts)) == 40
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_bits_of_nothing():
    with pytest.raises(
        ValueError, match="`ids` must hold at least 2 characters, got 1"
    ):
        bits_per_character(MODEL, PARAMS, [3])


def written(**options):
    return "".join(sample(MODEL, PARAMS, VOCABULARY, **options))


def test_the_likeliest_at_temperature_zero():
    ready = MODEL.prepare(PARAMS)
    carry, text = MODEL.initial_carry(ready, ()), "fade"
    for t in range(4 + 40 - 1):
        symbol = jnp.asarray(VOCABULARY.encode(text[t])[0])
        carry, logits = MODEL.step(ready, carry, symbol)
        if t >= 3:
            text += VOCABULARY.decode([int(jnp.argmax(logits))])
    assert written(length=40, prime="fade", temperature=0.0, seed=3) == text[4:]


def test_frequencies_are_the_models():
    # A model without a memory to speak of: its distribution after any character is its
    # bias, and at temperature 2 the square root of it.
    zeros = jax.tree.map(jnp.zeros_like, PARAMS)
    p = np.array([0.0, 0.5, 0.25, 0.1, 0.1, 0.04, 0.01])
    bias = jnp.log(jnp.asarray(p, jnp.float32) + 1e-30)
    params = (*zeros[:-1], zeros[-1] | {"bias": bias})
    for temperature, expected in ((1.0, p), (2.0, np.sqrt(p) / np.sqrt(p).sum())):
        drawn = "".join(
            sample(MODEL, params, VOCABULARY, length=4000, temperature=temperature)
        )
        counts = np.bincount(VOCABULARY.encode(drawn), minlength=V) / 4000
        assert counts[0] == 0
        np.testing.assert_allclose(counts, expected, atol=4 * np.sqrt(0.25 / 4000))


def test_lengths_and_primes_change_neither_text_nor_compilation():
    whole = written(length=100, prime="abc", seed=1)
    compiled = _draw._cache_size()
    for length in (1, CHUNK - 2, CHUNK, CHUNK + 1, 99):
        assert written(length=length, prime="abc", seed=1) == whole[:length]
    long = "abcdef" * 20
    assert len(written(length=5, prime=long, temperature=0.5)) == 5
    assert written(length=100, prime="abc", seed=2) != whole
    assert written(length=30) == written(length=30, prime="\n")
    assert _draw._cache_size() == compiled


def test_text_is_streamed():
    pieces = sample(MODEL, PARAMS, VOCABULARY, length=10**9)
    assert 0 < len(next(pieces)) <= CHUNK


def test_models_in_float64_and_bfloat16():
    float64 = jax.tree.map(lambda a: a.astype(jnp.float64), PARAMS)
    text = written(length=20, temperature=0.0)
    assert (
        "".join(sample(MODEL, float64, VOCABULARY, length=20, temperature=0.0)) == text
    )
    half = MODEL.replace(dtype="bfloat16")
    assert len("".join(sample(half, PARAMS, VOCABULARY, length=20))) == 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 0}, "`length` must be at least 1, got 0"),
        ({"temperature": -1.0}, "`temperature` must be at least 0 and finite, got -1"),
        (
            {"prime": "axb"},
            "`prime` must hold characters of the vocabulary only, got 'x' at position",
        ),
    ],
)
def test_bad_wishes_are_told_before_anything_is_drawn(options, message):
    with pytest.raises(ValueError, match=message):
        sample(MODEL, PARAMS, VOCABULARY, **({"length": 3} | options))


def test_dropout_only_in_training():
    xs = jnp.asarray(np.random.default_rng(0).integers(0, V, (9, 2)))
    calm = jr.unroll(MODEL, PARAMS, xs)[1]
    assert bool((calm == jr.unroll(MODEL, PARAMS, xs)[1]).all())
    assert bool((calm != jr.unroll(MODEL, PARAMS, xs, key=jax.random.key(0))[1]).any())
