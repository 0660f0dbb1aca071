"""Text comes in whole or with a plain sentence, and numbers lead back to it."""

import dataclasses
import json
import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jaxrnn.data import Vocabulary, python_docs, read_text, split


def test_python_docs_is_a_long_text_in_a_fixed_order():
    text = python_docs()
    assert 400_000 < len(text) < 1_000_000
    assert text == python_docs()
    assert text.index('The "assert" statement') < text.index('The "while" statement')


def test_read_text_returns_the_text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffnaïve\r\n☃\n".encode())
    assert read_text(path) == "naïve\n☃\n"
    assert read_text(str(path)) == read_text(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "`path` must name a readable text, got {}: No such file or directory"),
        (b"", "`path` must name a text, got {}, which is empty"),
        (b"ab\0c", "`path` must name a text, got {}, which holds NUL bytes"),
        (
            b"ab\xff",
            "`path` must name a UTF-8 text, got {}, which is not UTF-8 at byte 2",
        ),
    ],
)
def test_read_text_says_what_is_wrong_with_a_file(tmp_path, content, message):
    path = tmp_path / "a.txt"
    if content is not None:
        path.write_bytes(content)
    expected = re.escape(message.format(repr(str(path))))
    with pytest.raises(ValueError, match=f"^{expected}$"):
        read_text(path)


def test_read_text_refuses_a_directory(tmp_path):
    with pytest.raises(
        ValueError, match=r"^`path` must name a readable text, got '.*'"
    ):
        read_text(tmp_path)


def test_read_text_refuses_what_it_may_not_read(tmp_path, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_text", denied)
    message = "^`path` must name a readable text, got 'a': Permission denied$"
    with pytest.raises(ValueError, match=message):
        read_text("a")


@settings(deadline=None, max_examples=50)
@given(st.text(min_size=1))
@example("\ud800\0\U0010ffff")  # a lone surrogate is a character of a str
def test_decode_inverts_encode(text):
    vocabulary = Vocabulary.from_text(text)
    ids = vocabulary.encode(text)
    assert ids.dtype == np.int32
    assert ids.tolist() == [sorted(set(text)).index(c) for c in text]
    assert vocabulary.decode(ids) == text
    assert len(vocabulary) == len(set(text))


def test_nothing_encodes_to_nothing():
    vocabulary = Vocabulary("ab")
    assert vocabulary.encode("").dtype == np.int32
    assert vocabulary.decode(vocabulary.encode("")) == vocabulary.decode([]) == ""


def test_a_vocabulary_is_a_value_and_goes_to_json_and_back():
    vocabulary = Vocabulary('a"\u2603\\')
    vocabulary.encode("a")
    copy = Vocabulary(**json.loads(json.dumps(dataclasses.asdict(vocabulary))))
    assert copy == vocabulary
    assert hash(copy) == hash(vocabulary)
    assert eval(repr(vocabulary)) == vocabulary


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: Vocabulary("abc").encode("ab☃cé☃"),
            ValueError,
            "`text` must hold characters of the vocabulary only, got '☃' at position 2,"
            " 'é' at position 4",
        ),
        (
            lambda: Vocabulary("a").encode("ahgfedcb"),
            ValueError,
            "`text` must hold characters of the vocabulary only, got 'h' at position 1,"
            " 'g' at position 2, 'f' at position 3, 'e' at position 4, 'd' at position"
            " 5 and 2 others",
        ),
        (
            lambda: Vocabulary("a").encode(b"a"),
            TypeError,
            "`text` must be a string, got bytes",
        ),
        (
            lambda: Vocabulary("abc").decode([0, 3]),
            ValueError,
            "`ids` must lie in [0, 3), got 3 at position 1",
        ),
        (
            lambda: Vocabulary("abc").decode([-1]),
            ValueError,
            "`ids` must lie in [0, 3), got -1 at position 0",
        ),
        (
            lambda: Vocabulary("abc").decode([0.0]),
            TypeError,
            "`ids` must hold integers, got float64",
        ),
        (
            lambda: Vocabulary("abc").decode([[0]]),
            ValueError,
            "`ids` must have shape (N,), got (1, 1)",
        ),
        (
            lambda: Vocabulary("aba"),
            ValueError,
            "`characters` must be distinct, got 'a' twice",
        ),
        (
            lambda: Vocabulary(""),
            ValueError,
            "`characters` must hold at least one character, got none",
        ),
        (
            lambda: Vocabulary(["a"]),
            TypeError,
            "`characters` must be a string, got list",
        ),
        (
            lambda: Vocabulary.from_text(""),
            ValueError,
            "`text` must hold at least one character, got none",
        ),
        (
            lambda: split("abc", valid_fraction=1.0),
            ValueError,
            "`valid_fraction` must be between 0 and 1, got 1.0",
        ),
        (
            lambda: split("abc"),
            ValueError,
            "`ids` must be long enough to split at 0.1, got length 3",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()


def test_split_keeps_the_last_tenth_for_validation():
    train, valid = split(np.arange(100))
    np.testing.assert_array_equal(train, np.arange(90))
    np.testing.assert_array_equal(valid, np.arange(90, 100))
