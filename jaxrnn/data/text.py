"""Text: where to get it, and how to split it."""

import os
from pathlib import Path

import numpy as np


def python_docs() -> str:
    """Returns CPython's own documentation, a real text that every Python brings along.

    It is `pydoc_data.topics`, what `help("while")` shows: about 465,000 characters on
    Python 3.11. Each version of Python has its own text, so results can be compared
    within a version only.

    Returns:
      The topics in alphabetical order of their names, joined by blank lines.

    Example:
      >>> from jaxrnn.data import python_docs
      >>> "The \\"while\\" statement" in python_docs()
      True
    """
    from pydoc_data.topics import topics  # half a megabyte that few callers need

    return "\n\n".join(topics[name] for name in sorted(topics))


def read_text(path: str | os.PathLike[str]) -> str:
    """Returns the text of a UTF-8 file.

    Args:
      path: the file. A byte order mark is dropped, and every line ends in a line feed.

    Returns:
      The text, at least one character.

    Raises:
      ValueError: the file is missing, unreadable, a directory, empty, binary or not
        UTF-8.

    Example:
      >>> from jaxrnn.data import read_text
      >>> read_text("no")
      Traceback (most recent call last):
      ValueError: `path` must name a readable text, got 'no': No such file or directory
    """
    name = repr(os.fspath(path))
    try:
        text = Path(path).read_text(encoding="utf-8").removeprefix("\ufeff")
    except OSError as error:
        raise ValueError(
            f"`path` must name a readable text, got {name}: {error.strerror}"
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"`path` must name a UTF-8 text, got {name}, which is not UTF-8 at byte"
            f" {error.start}"
        ) from error
    if not text:
        raise ValueError(f"`path` must name a text, got {name}, which is empty")
    if "\0" in text:
        raise ValueError(f"`path` must name a text, got {name}, which holds NUL bytes")
    return text


def split(
    ids: np.ndarray, *, valid_fraction: float = 0.1
) -> tuple[np.ndarray, np.ndarray]:
    """Splits a text into its beginning, to train on, and its end, to validate on.

    Args:
      ids: array [N, ...], or anything else that slices: the text itself.
      valid_fraction: the part of N that is for validation, between 0 and 1.

    Returns:
      The pair (train, valid): slices of `ids`, neither of them empty.

    Raises:
      ValueError: `valid_fraction` is out of range, or leaves a part empty.

    Example:
      >>> from jaxrnn.data import split
      >>> split("abcdefghij")
      ('abcdefghi', 'j')
    """
    if not 0 < valid_fraction < 1:
        raise ValueError(
            f"`valid_fraction` must be between 0 and 1, got {valid_fraction}"
        )
    cut = len(ids) - round(len(ids) * valid_fraction)
    if not 0 < cut < len(ids):
        raise ValueError(
            f"`ids` must be long enough to split at {valid_fraction}, got length"
            f" {len(ids)}"
        )
    return ids[:cut], ids[cut:]
