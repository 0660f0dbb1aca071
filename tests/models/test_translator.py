"""The translator: its parts, its loss, its translations, its scores."""

import sys

import jax
import numpy as np
import pytest

import jaxrnn as jr
from jaxrnn.data import Pair, Vocabulary
from jaxrnn.models import (
    Score,
    TranslatorConfig,
    encoded_batches,
    nats_per_character,
    score,
    scores_by,
    translate,
    translator,
    translator_objective,
    translator_optimizer,
    translator_vocabulary,
)

pytestmark = pytest.mark.usefixtures("standard_promotion")

PAIRS = [
    Pair("ab", "BA"),
    Pair("abc", "CBA"),
    Pair("c", "C"),
    Pair("cabba", "ABBAC"),
    Pair("bb", "BB"),
]
VOCABULARY = translator_vocabulary(PAIRS)
SMALL = {"hidden_size": 16, "embedding": 5, "batch_size": 5, "warmup": 0}


@pytest.fixture(scope="module")
def learned():
    """A translator that knows the pairs by heart."""
    config = TranslatorConfig(**SMALL, learning_rate=2e-2)
    model = translator(config, len(VOCABULARY))
    params = model.init(jax.random.key(1))
    with jax.numpy_dtype_promotion("standard"):
        optimizer = translator_optimizer(config, 150)
        state = jr.init_state(params, optimizer, jax.random.key(0))
        step = jr.train_step(translator_objective(model), optimizer)
        for epoch in range(150):
            how = {"batch_size": 5, "buckets": 1, "epoch": epoch}
            for batch in encoded_batches(PAIRS, VOCABULARY, **how):
                state, metrics = step(state, batch)
    assert metrics["loss"] < 0.05
    return model, state.params


def test_the_vocabulary_begins_with_the_end():
    assert VOCABULARY.characters == "\nABCabc"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "rnn"}, "`cell` must be one of 'elman', 'gru', 'lstm', got 'rnn'"),
        ({"attention": "dot"}, "`attention` must be one of 'additive', 'general', "),
        ({"hidden_size": 5}, "`hidden_size` must be even, got 5"),
        ({"buckets": 0}, "`buckets` must be at least 1, got 0"),
        ({"warmup": -1}, "`warmup` must be at least 1, got -1"),
        ({"dropout": 2.0}, r"`dropout` must lie in \[0, 1\], got 2.0"),
        ({"clip": 0.0}, "`clip` must be positive and finite, got 0.0"),
        ({"seed": -1}, "`seed` must lie in"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        TranslatorConfig(**settings)


def found_by(learned, *sources):
    how = {"beam": 3, "nbest": 2, "longest": 5}
    return translate(*learned, VOCABULARY, sources, **how)


def test_what_was_learned_is_translated(learned):
    found = found_by(learned, *(pair.source for pair in PAIRS))
    for pair, (best, second) in zip(PAIRS, found, strict=True):
        assert best.text == pair.target != second.text
        assert best.finished == (len(pair.target) < 5)  # the end takes a step too
        assert 0 > best.score > second.score
        rows = len(pair.target) + best.finished
        assert best.alignment.shape == (rows, len(pair.source))
        np.testing.assert_allclose(best.alignment.sum(axis=1), 1, atol=1e-5)


def test_a_translation_depends_on_its_own_source_alone(learned):
    sources = ("cabba", "a", "cc", "b", "bca")
    for source, together in zip(sources, found_by(learned, *sources), strict=True):
        [alone] = found_by(learned, source)
        for a, b in zip(alone, together, strict=True):
            assert a.text == b.text
            np.testing.assert_allclose(a.score, b.score, atol=1e-5)
            np.testing.assert_allclose(a.alignment, b.alignment, atol=1e-5)


def test_nats_are_those_of_writing_step_by_step(learned):
    sources = [pair.source for pair in PAIRS[:3]]
    best = [first for first, _ in found_by(learned, *sources, "b", "bb")[:3]]
    pairs = [Pair(a, b.text) for a, b in zip(sources, best, strict=True)]
    found = nats_per_character(*learned, pairs, VOCABULARY, batch_size=2)
    characters = sum(len(each.text) + 1 for each in best)
    expected = -sum(each.score for each in best) / characters
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_what_cannot_be_translated(learned):
    model, params = learned
    assert translate(model, params, VOCABULARY, []) == []
    with pytest.raises(ValueError, match="must not be empty, got '' at position 1"):
        translate(model, params, VOCABULARY, ["a", ""])
    with pytest.raises(ValueError, match="got 'x' at position 1, 'ß' at position 2"):
        translate(model, params, VOCABULARY, ["axß"])
    with pytest.raises(TypeError, match="must be a sequence of strings, got 'ab'"):
        translate(model, params, VOCABULARY, "ab")
    for name in ("batch_size", "longest"):
        with pytest.raises(ValueError, match=f"`{name}` must be at least 1, got 0"):
            translate(model, params, VOCABULARY, ["ab"], **{name: 0})
    with pytest.raises(ValueError, match="must hold the 7 characters that the model"):
        translate(model, params, Vocabulary("\nab"), ["a"])
    with pytest.raises(ValueError, match=r"must begin with the end mark '\\n'.* 'A'"):
        translate(model, params, Vocabulary("ABCabcd"), ["a"])


@pytest.mark.parametrize(
    ("attention", "layer"),
    [
        ("general", "Attend(GRU(16, reset='after'), memory_size=16, look='after')"),
        ("additive", "Attend(GRU(16, reset='after'), attention=Additive(8), "),
        ("none", "Stack(Embed(7, 5), GRU(16, reset='after'), Dense(7))"),
    ],
)
def test_models(attention, layer):
    config = TranslatorConfig(**SMALL, attention=attention)
    assert layer in repr(translator(config, len(VOCABULARY)))


def test_scores():
    pytest.importorskip("sacrebleu")
    pairs = [Pair("aa", "one", language="x"), Pair("a" * 11, "two", language="y")]
    assert score(pairs, ["one", "two"]) == Score(100.0, 100.0, 2)
    assert score(pairs, ["xyz", "q"])[:2] == (0.0, 0.0)
    found = scores_by(lambda pair: pair.language, pairs, ["one", "tvo"])
    assert [found["x"].exact, found["y"].exact] == [100.0, 0.0]
    assert 0 < found["y"].chrf < 100 and found["y"].pairs == 1
    with pytest.raises(ValueError, match="as many as `pairs`, 2"):
        score(pairs, ["one"])


def test_without_sacrebleu(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(ImportError, match=r"pip install 'jaxrnn\[translate\]'"):
        score([Pair("a", "b")], ["b"])
