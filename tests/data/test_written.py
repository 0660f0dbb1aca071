"""The corpus of written dates, times, numbers and names: honest splits, one meaning."""

import re
import sys
from collections import Counter
from datetime import date, datetime, time
from decimal import Decimal

import pytest

from jaxrnn.data import LANGUAGES, asking, forms, written
from jaxrnn.data.forms import KINDS, write_value
from jaxrnn.data.written import part_of

pytest.importorskip("babel")

DAY = re.compile(r"\d{4}-\d\d-\d\d")
READ = {
    "date": date.fromisoformat,
    "moment": datetime.fromisoformat,
    "time": time.fromisoformat,
    "number": Decimal,
}


@pytest.fixture(scope="module")
def corpus():
    return written(size=6000, test_size=600)


def parts(corpus):
    return {"train": corpus.train, "valid": corpus.valid, **corpus.tests}


def iso(pair):
    """The ISO form in a pair, whichever way it goes."""
    mark = asking(pair.language, "")
    return pair.source.removeprefix(mark) if asked(pair) else pair.target


def asked(pair):
    return pair.source.startswith(asking(pair.language, ""))


def test_the_same_seed_draws_the_same_pairs():
    sizes = {"size": 200, "test_size": 20}
    assert written(**sizes) == written(**sizes) != written(**sizes, seed=1)


def test_every_kind_and_language_goes_both_ways(corpus):
    seen = Counter((p.kind, p.language, asked(p)) for p in corpus.train)
    assert len(seen) == 5 * len(LANGUAGES) * 2
    assert min(seen.values()) > 20
    for test in ("dates", "years", "moments"):
        assert {p.language for p in corpus.tests[test]} == set(LANGUAGES)


def test_a_source_has_one_target_and_one_part(corpus):
    sources = [pair.source for pair in corpus.pairs()]
    assert len(sources) == len(set(sources))


def test_a_value_is_in_one_part(corpus):
    expected = dict.fromkeys(("dates", "moments", "digits", "forms"), "held")
    for part, pairs in parts(corpus).items():
        for pair in pairs:
            if pair.kind != "name":
                value = READ[pair.kind](iso(pair))
                assert part_of(value) == expected.get(part, part), pair
    days = {
        part: {m[0] for pair in pairs for m in [DAY.search(iso(pair))] if m}
        for part, pairs in parts(corpus).items()
    }
    for test in ("valid", "dates", "years", "moments", "forms"):
        assert len(days[test]) > 100 and not days[test] & days["train"]
    years = {part: {day[:4] for day in own} for part, own in days.items()}
    known = set.union(*(own for part, own in years.items() if part != "years"))
    assert len(known) > 150 and 10 < len(years["years"]) < 30
    assert not known & years["years"]


def test_a_value_is_in_the_same_part_whatever_the_seed(corpus):
    other = written(size=500, test_size=50, seed=5)
    days = lambda pairs: {iso(p) for p in pairs if p.kind == "date"}
    assert not days(other.tests["dates"]) & days(corpus.train)


def test_nobody_trains_on_held_forms(corpus):
    held = lambda value, language: {
        write_value("date", value, form, language) for form in KINDS["date"].held
    }
    days = [p for p in corpus.train if p.kind == "date" and not asked(p)]
    for pair in days[:400]:
        assert pair.source not in held(date.fromisoformat(pair.target), pair.language)
    for pair in corpus.tests["forms"]:
        assert pair.source in held(date.fromisoformat(pair.target), pair.language)


def test_days_in_digits_put_the_day_first_and_years_are_whole(corpus):
    numeric = re.compile(r"\D*(\d+)\D(\d+)\D(\d{4})\.?$")
    found = 0
    for pair in corpus.train + corpus.tests["forms"]:
        if pair.kind == "date" and not asked(pair):
            year, month, day = pair.target.split("-")
            assert year in pair.source
            match = numeric.match(pair.source)
            if match:
                assert [int(n) for n in match.groups()] == [
                    int(n) for n in (day, month, year)
                ]
                found += 1
    assert found > 50


def test_numbers_read_in_one_way(corpus):
    digits = lambda text: re.sub(r"\D", "", text)
    for pair in corpus.train:
        if pair.kind == "number":
            written_form = pair.target if asked(pair) else pair.source
            assert digits(written_form) == digits(iso(pair))
            whole = "." not in iso(pair)
            assert len(re.findall(r"\D", written_form)) >= (2 if whole else 1)


def test_no_test_of_names_has_its_answer_in_training(corpus):
    names = corpus.tests["names"]
    assert {p.kind for p in names} == {"name"} and len(names) > 200
    trained = {(p.language, iso(p)) for p in corpus.train if p.kind == "name"}
    assert not trained & {(p.language, iso(p)) for p in names}


@pytest.mark.parametrize(
    ("kind", "value", "form", "language", "text"),
    [
        ("date", date(1987, 11, 3), "full", "en", "Tuesday, November 3, 1987"),
        ("date", date(1987, 11, 3), "long", "el", "3 Νοεμβρίου 1987"),
        ("time", time(17, 5), "short", "en", "5:05 PM"),
        ("time", time(17, 5, 9), "medium", "de", "17:05:09"),
        ("number", Decimal("1234567.89"), "#,##0.00", "fr", "1 234 567,89"),
        ("number", Decimal(7654321), "#,##0", "en", "7,654,321"),
    ],
)
def test_forms(kind, value, form, language, text):
    assert write_value(kind, value, form, language) == text


def test_bad_sizes():
    with pytest.raises(ValueError, match="`size` must be at least 1, got 0"):
        written(size=0)
    with pytest.raises(TypeError, match="`test_size` must be an integer"):
        written(test_size=2.5)


def test_without_babel(monkeypatch):
    monkeypatch.setitem(sys.modules, "babel", None)
    forms.locale.cache_clear()
    with pytest.raises(ImportError, match=r"pip install 'jaxrnn\[translate\]'"):
        written(size=1, test_size=2)
