"""Pairs of texts: what is translated, and into what."""

import itertools
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from random import Random
from typing import NamedTuple

from jaxrnn.data.text import read_text


class Pair(NamedTuple):
    """A text and its translation.

    Attributes:
      source: the text.
      target: its translation.
      kind: what it is about, such as "date"; "" where nothing is known.
      language: whose words are in it; "" where nothing is known.
    """

    source: str
    target: str
    kind: str = ""
    language: str = ""


class Corpus(NamedTuple):
    """Pairs, each in one part.

    Attributes:
      train: to train on.
      valid: to choose between models by.
      tests: to judge the chosen one by, each list under its name.
    """

    train: list[Pair]
    valid: list[Pair]
    tests: dict[str, list[Pair]]

    def pairs(self) -> list[Pair]:
        """All of them."""
        return [*self.train, *self.valid, *itertools.chain(*self.tests.values())]


def tidy(text: str) -> str:
    """Returns a text as it would be typed: plain spaces, plain apostrophes.

    Unicode has two ways to write some letters, and a dozen spaces that look alike.

    Args:
      text: any.

    Returns:
      The text in normal form C, an apostrophe in place of a right quotation mark; each
      stretch of white space is one space, and there is none at the ends.

    Example:
      >>> tidy(" 5:05\\u202fPM, l\\u2019e\\u0301t\\u00e9\\n")
      "5:05 PM, l'été"
    """
    text = unicodedata.normalize("NFC", text).replace("\u2019", "'")
    return " ".join(text.split())


def read_pairs(path: str | os.PathLike[str]) -> list[Pair]:
    """Returns the pairs of a file: a pair a line, source and target parted by a tab.

    Args:
      path: a UTF-8 text. Empty lines do not count, nor a pair that was there before.

    Returns:
      The pairs, each text made `tidy`.

    Raises:
      ValueError: the file cannot be read, a line is no pair, or there is none.

    Example:
      >>> import pathlib, tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     _ = pathlib.Path(folder, "pairs.tsv").write_text(
      ...         "un\\tone\\ndos\\ttwo\\n"
      ...     )
      ...     [(p.source, p.target) for p in read_pairs(f"{folder}/pairs.tsv")]
      [('un', 'one'), ('dos', 'two')]
    """
    found: dict[Pair, None] = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line.strip():
            texts = [tidy(text) for text in line.split("\t")]
            if len(texts) != 2 or not all(texts):
                raise ValueError(
                    f"`path` must hold a source, a tab and a target a line, "
                    f"got {line[:40]!r} in line {number}"
                )
            found[Pair(*texts)] = None
    if not found:
        raise ValueError(f"`path` must hold at least one pair, got none in {path}")
    return list(found)


def split_pairs(
    pairs: Iterable[Pair], *, held_fraction: float = 0.1, seed: int = 0
) -> Corpus:
    """Returns pairs in three parts; one source is in one of them, with all its targets.

    Args:
      pairs: any, in any order.
      held_fraction: of the sources, between 0 and 1: one half validates, the other
        tests, under the name "unseen".
      seed: the same seed gives the same parts.

    Returns:
      The parts, none of them empty.

    Raises:
      ValueError: `held_fraction` is out of range, or leaves a part empty.

    Example:
      >>> corpus = split_pairs([Pair(c, c.upper()) for c in "abcdefghijklmnopqrst"])
      >>> len(corpus.train), len(corpus.valid), len(corpus.tests["unseen"])
      (18, 1, 1)
    """
    if not 0 < held_fraction < 1:
        raise ValueError(
            f"`held_fraction` must be between 0 and 1, got {held_fraction}"
        )
    by_source: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_source[pair.source].append(pair)
    held = max(round(len(by_source) * held_fraction / 2), 1)
    if len(by_source) < 2 * held + 1:
        raise ValueError(
            f"`pairs` must have at least {2 * held + 1} sources, got {len(by_source)}"
        )
    order = sorted(by_source)
    Random(seed).shuffle(order)
    of = lambda sources: [pair for source in sources for pair in by_source[source]]
    valid, test, train = order[:held], order[held : 2 * held], order[2 * held :]
    return Corpus(of(train), of(valid), {"unseen": of(test)})
