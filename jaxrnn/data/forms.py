"""Dates, times, numbers and countries as languages write them, and in ISO form."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from jaxrnn.data.pairs import tidy

LANGUAGES = ("ca", "de", "el", "en", "es", "fr", "it", "pl")
FIRST, DAYS = date(1900, 1, 1), 73_049  # to the last day of 2099
_WIDTHS = ("full", "long", "medium", "short")
_NO_COUNTRIES = ("EZ", "QO", "XA", "XB", "ZZ")  # codes that ISO leaves to its users


@dataclass(frozen=True)
class Kind:
    """Values of one kind, and how they are written.

    Attributes:
      draw: from a generator and a form to a value.
      iso: from a value and a form to its text in ISO form.
      write: from a value, a form and a locale to its text in a language.
      forms: by CLDR's names: full, long, medium, short, skeletons such as yMMMd; or
        patterns of digits.
      asked: those of them that an ISO text is written in.
      held: those that nobody is trained on.
    """

    draw: Callable[[Random, str], Any]
    iso: Callable[[Any, str], str]
    write: Callable[[Any, str, Any], str]
    forms: tuple[str, ...]
    asked: tuple[str, ...]
    held: tuple[str, ...] = ()


def write_value(kind: str, value: Any, form: str, language: str) -> str:
    """Returns a value as a language writes it.

    Args:
      kind: one of `KINDS`.
      value: of that kind.
      form: one of the kind's.
      language: one of `LANGUAGES`.

    Raises:
      ImportError: Babel is not installed.

    Example:
      >>> write_value("date", date(2024, 2, 9), "long", "fr")
      '9 février 2024'
      >>> write_value("number", Decimal("1234.5"), "#,##0.00", "de")
      '1.234,50'
    """
    return tidy(KINDS[kind].write(value, form, locale(language)))


def forms_of(kind: str, language: str, *, held: bool = False) -> tuple[str, ...]:
    """Returns the forms that texts of a language are read in.

    English puts the month first. So its days in digits alone, which others would read
    as another day, are left out; as are all forms with years of two digits.

    Args:
      kind: one of `KINDS`.
      language: one of `LANGUAGES`.
      held: whether to give those that nobody is trained on.

    Example:
      >>> forms_of("date", "en", held=True), forms_of("date", "de", held=True)
      (('yMMMEd',), ('yMMMEd', 'yMEd'))
    """
    forms = KINDS[kind].held if held else KINDS[kind].forms
    in_digits = ("yMd", "yMEd") if language == "en" else ()
    return tuple(form for form in forms if form not in in_digits)


def countries(language: str) -> dict[str, str]:
    """Returns the names of countries and territories by their ISO 3166 codes.

    Args:
      language: one of `LANGUAGES`.

    Raises:
      ImportError: Babel is not installed.

    Example:
      >>> countries("ca")["DE"]
      'Alemanya'
    """
    return {
        code: tidy(name)
        for code, name in sorted(locale(language).territories.items())
        if code.isalpha() and code not in _NO_COUNTRIES
    }


@functools.cache
def locale(language: str) -> Any:
    """Returns what CLDR knows of a language, an object of Babel.

    Args:
      language: one of `LANGUAGES`.

    Raises:
      ImportError: Babel is not installed.
    """
    try:
        from babel import Locale
    except ImportError as error:
        raise ImportError(
            "these pairs come from Babel: pip install 'jaxrnn[translate]'"
        ) from error
    return Locale(language)


def _draw_date(rng: Random, form: str) -> date:
    return FIRST + timedelta(days=rng.randrange(DAYS))


def _draw_time(rng: Random, form: str) -> time:
    second = rng.randrange(60) if form == "medium" else 0
    return time(rng.randrange(24), rng.randrange(60), second)


def _draw_moment(rng: Random, form: str) -> datetime:
    return datetime.combine(_draw_date(rng, form), _draw_time(rng, "short"))


def _draw_number(rng: Random, form: str) -> Decimal:
    # As many of each length. One group of digits alone could be decimals elsewhere.
    cents = form.endswith("00")
    digits = rng.randint(3, 9) if cents else rng.randint(7, 10)
    number = Decimal(rng.randrange(10 ** (digits - 1), 10**digits))
    return number.scaleb(-2) if cents else number


def _write_date(value: date, form: str, known: Any) -> str:
    formats = known.date_formats if form in _WIDTHS else known.datetime_skeletons
    return formats[form].apply(value, known)


def _write_time(value: time, form: str, known: Any) -> str:
    return known.time_formats[form].apply(value, known)


def _write_moment(value: datetime, form: str, known: Any) -> str:
    # Babel's own longer forms of moments have seconds and a time zone.
    joined = str(known.datetime_formats[form]).replace("'", "")
    day = _write_date(value.date(), form, known)
    minute = _write_time(value.time(), "short", known)
    return joined.replace("{0}", minute).replace("{1}", day)


def _write_number(value: Decimal, form: str, known: Any) -> str:
    from babel.numbers import format_decimal

    return format_decimal(value, format=form, locale=known)


def _iso_time(value: time, form: str) -> str:
    return value.isoformat("seconds" if form == "medium" else "minutes")


KINDS = {
    "date": Kind(
        draw=_draw_date,
        iso=lambda value, form: value.isoformat(),
        write=_write_date,
        forms=("full", "long", "medium", "yMMMd", "GyMMMd", "yMd"),
        asked=("long",),
        held=("yMMMEd", "yMEd"),
    ),
    "moment": Kind(
        draw=_draw_moment,
        iso=lambda value, form: value.isoformat(timespec="minutes"),
        write=_write_moment,
        forms=("full", "long", "medium"),
        asked=("long",),
    ),
    "time": Kind(
        draw=_draw_time,
        iso=_iso_time,
        write=_write_time,
        forms=("short", "medium"),
        asked=("short", "medium"),
    ),
    "number": Kind(
        draw=_draw_number,
        iso=lambda value, form: f"{value:.2f}" if form.endswith("00") else f"{value:f}",
        write=_write_number,
        forms=("#,##0.00", "#,##0"),
        asked=("#,##0.00", "#,##0"),
    ),
}
"""The kinds by name."""
