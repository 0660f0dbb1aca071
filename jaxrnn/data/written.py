"""A corpus for translation that every machine can make: between languages and ISO."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from random import Random
from typing import Any

from jaxrnn.data.checks import check_integer
from jaxrnn.data.forms import KINDS, LANGUAGES, countries, forms_of, write_value
from jaxrnn.data.pairs import Corpus, Pair

# How often each kind is drawn to train on. Moments are the hardest: in English and in
# Greek their hours go to twelve.
_WEIGHTS = {"date": 4, "moment": 6, "time": 3, "number": 3}


def written(*, size: int = 60_000, test_size: int = 1_600, seed: int = 0) -> Corpus:
    """Returns what eight languages write, beside its ISO form, for translation.

    ::

      9 de febrer del 2024   ->  2024-02-09              what is read needs no mark
      ca: 2024-02-09         ->  9 de febrer del 2024    "ca: " asks for Catalan

    There are dates in several forms, moments (dates with times), times, decimal numbers
    and names of countries, in Catalan, German, Greek, English, Spanish, French, Italian
    and Polish. What could be read in two ways is left out: English days in digits
    alone, whose month comes first, years of two digits, numbers such as 1.234, and any
    other source that would have two targets.

    A day, a number, and a time that is a text of its own lie in one part: in all
    languages and forms, both ways, whatever the seed. A moment goes with its day, its
    time is any. The tests are:

    - "dates": days that nobody trains on, in years that somebody does;
    - "years": days of years that nobody trains on, a tenth of 1900 to 2099;
    - "moments": those of such days as in "dates";
    - "digits": numbers that nobody trains on, and times that nobody trains on alone;
    - "forms": days that nobody trains on, in forms that nobody trains on: those with
      the day of the week in short;
    - "names": a tenth of each language's names of countries. They are a dictionary: a
      word that was not learned can only be guessed, from its relatives.

    The words are those of Unicode's CLDR (Unicode License v3), as Babel brings them
    (babel.pocoo.org, BSD licence). Its versions differ a little, so that results can be
    compared within one.

    Args:
      size: pairs to draw for training; the names, some 3,600, come on top, and what was
        drawn before does not count again.
      test_size: pairs to draw for each test but the names; half as many validate.
      seed: the same seed draws the same pairs.

    Returns:
      The parts. No source is in two of them.

    Raises:
      ImportError: Babel is not installed.
      ValueError, TypeError: a size is no positive integer.

    Example:
      >>> corpus = written(size=200, test_size=20)
      >>> list(corpus.tests)
      ['dates', 'years', 'moments', 'digits', 'forms', 'names']
    """
    check_integer("size", size, least=1)
    check_integer("test_size", test_size, least=2)
    rng = Random(seed)

    def draw(count: int, part: str, *kinds: str, new: bool = False) -> list[Pair]:
        kinds = kinds or (*_WEIGHTS,)
        names = rng.choices(kinds, [_WEIGHTS[kind] for kind in kinds], k=count)
        return [_drawn(rng, part, name, new=new) for name in names]

    parts = {
        "train": [*draw(size, "train"), *_names("train")],
        "valid": draw(test_size // 2, "valid"),
        "dates": draw(test_size, "held", "date"),
        "years": draw(test_size, "years", "date"),
        "moments": draw(test_size, "held", "moment"),
        "digits": draw(test_size, "held", "time", "number"),
        "forms": draw(test_size, "held", "date", new=True),
        "names": [*_names("held")],
    }
    train, valid, *tests = _apart(parts.values())
    return Corpus(train, valid, dict(zip([*parts][2:], tests, strict=True)))


def asking(language: str, text: str) -> str:
    """Returns the source that asks for a text in ISO form to be written in a language.

    Args:
      language: one of `LANGUAGES`.
      text: in ISO form.

    Example:
      >>> asking("ca", "2024-02-09")
      'ca: 2024-02-09'
    """
    return f"{language}: {text}"


def part_of(value: Any) -> str:
    """Returns the part that a value lies in: "train", "valid", "held" or "years".

    Args:
      value: a day, a moment, which goes with its day, a time or a number.

    Example:
      >>> part_of(date(2024, 2, 9)) == part_of(datetime(2024, 2, 9, 17, 5))
      True
    """
    if isinstance(value, datetime):
        value = value.date()
    if isinstance(value, date) and _share(f"year {value.year}") < 0.1:
        return "years"
    share = _share(f"{value}")
    return "held" if share < 0.1 else "valid" if share < 0.15 else "train"


def _share(name: str) -> float:
    """A number in [0, 1), as if drawn, but always the same for a name."""
    return Random(name).random()


def _drawn(rng: Random, part: str, name: str, *, new: bool = False) -> Pair:
    """A pair of a kind, one way or the other; `new`: in a form that is held out."""
    kind, language = KINDS[name], rng.choice(LANGUAGES)
    asks = not new and rng.random() < 0.5
    form = rng.choice(kind.asked if asks else forms_of(name, language, held=new))
    while part_of(value := kind.draw(rng, form)) != part:
        pass
    text, iso = write_value(name, value, form, language), kind.iso(value, form)
    return Pair(*_either(text, iso, language, asks=asks), name, language)


def _names(part: str) -> Iterator[Pair]:
    """The names of countries in a part, "train" or "held", both ways."""
    for language in LANGUAGES:
        for code, name in countries(language).items():
            held = _share(f"name {language} {code}") < 0.1
            if held == (part == "held"):
                for asks in (False, True):
                    texts = _either(name, code, language, asks=asks)
                    yield Pair(*texts, "name", language)


def _either(text: str, iso: str, language: str, *, asks: bool) -> tuple[str, str]:
    return (asking(language, iso), text) if asks else (text, iso)


def _apart(parts: Iterable[list[Pair]]) -> list[list[Pair]]:
    """The parts with each source once, in the first that has it; of one target only."""
    parts, targets = list(parts), defaultdict(set)
    for pair in itertools.chain(*parts):
        targets[pair.source].add(pair.target)
    seen: set[str] = set()
    kept = []
    for part in parts:
        own = {
            pair.source: pair
            for pair in part
            if len(targets[pair.source]) == 1 and pair.source not in seen
        }
        seen |= own.keys()
        kept.append([*own.values()])
    return kept
