"""The n-gram model against its formula, written out with dictionaries."""

import re
import sys
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxrnn.data import Vocabulary, python_docs, split
from jaxrnn.models.ngram import bits_per_character, probabilities

V = 4
text = st.lists(st.integers(0, V - 1), max_size=40)


def slow_probabilities(train, valid, order):
    """p(w | h) = (c(hw) + T(h) p(w | h')) / (c(h) + T(h)), a character at a time."""
    followers = defaultdict(Counter)
    for t, w in enumerate(train):
        for k in range(min(order, t + 1)):
            followers[tuple(train[t - k : t])][w] += 1

    def p(w, history):
        lower = p(w, history[1:]) if history else 1 / V
        after = followers[history]
        if not after:
            return lower
        return (after[w] + len(after) * lower) / (after.total() + len(after))

    def history(t):
        return tuple(valid[max(t - order + 1, 0) : t])

    return [p(w, history(t)) if order else 1 / V for t, w in enumerate(valid)]


@settings(deadline=None, max_examples=50)
@given(text, text, st.integers(0, 6))
def test_probabilities_follow_the_formula(train, valid, order):
    np.testing.assert_allclose(
        probabilities(train, valid, order=order, vocab_size=V),
        slow_probabilities(train, valid, order),
        rtol=1e-12,
    )


@settings(deadline=None, max_examples=50)
@given(text, text, st.integers(0, 6))
def test_probabilities_of_what_may_come_next_sum_to_one(train, history, order):
    last = [
        probabilities(train, [*history, w], order=order, vocab_size=V)[-1]
        for w in range(V)
    ]
    assert min(last) > 0
    np.testing.assert_allclose(sum(last), 1, rtol=1e-12)


def test_bits_are_the_mean_of_the_negative_logarithm():
    train, valid = [0, 1, 2, 0, 1], [0, 1, 3]
    expected = -np.log2(slow_probabilities(train, valid, 3)).mean()
    bits = bits_per_character(train, valid, order=3, vocab_size=V)
    np.testing.assert_allclose(bits, expected, rtol=1e-12)


def test_a_five_gram_on_the_python_documentation():
    docs = python_docs()
    vocabulary = Vocabulary.from_text(docs)
    train, valid = split(vocabulary.encode(docs))
    bits = bits_per_character(train, valid, vocab_size=len(vocabulary))
    assert 1.8 < bits < 2.1  # every version of Python has its own text
    if sys.version_info[:3] == (3, 11, 7):
        assert bits == pytest.approx(1.9048, abs=1e-4)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: bits_per_character([0], [], vocab_size=2),
            ValueError,
            "`valid_ids` must hold at least one number, got none",
        ),
        (
            lambda: bits_per_character([0, 2], [0], vocab_size=2),
            ValueError,
            "`train_ids` must lie in [0, 2), got 2 at position 1",
        ),
        (
            lambda: bits_per_character([0], [-1], vocab_size=2),
            ValueError,
            "`valid_ids` must lie in [0, 2), got -1 at position 0",
        ),
        (
            lambda: bits_per_character([0], [0.5], vocab_size=2),
            TypeError,
            "`valid_ids` must hold integers, got float64",
        ),
        (
            lambda: bits_per_character([0], [0], order=-1, vocab_size=2),
            ValueError,
            "`order` must be at least 0, got -1",
        ),
        (
            lambda: bits_per_character([0], [0], vocab_size=0),
            ValueError,
            "`vocab_size` must be at least 1, got 0",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()
