"""Errors in the user's words: the argument's name, what was expected, what came."""

import contextlib
from collections.abc import Iterator
from typing import Any

import jax


def positive(**sizes: Any) -> None:
    """Raise unless every named value is an integer of at least 1."""
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"`{name}` must be an integer, got {value!r}")
        if value < 1:
            raise ValueError(f"`{name}` must be at least 1, got {value}")


def probability(**rates: float) -> None:
    """Raise unless every named value lies in [0, 1]."""
    for name, value in rates.items():
        if not 0 <= value <= 1:
            raise ValueError(f"`{name}` must lie in [0, 1], got {value}")


def one_of(options: tuple[Any, ...], **values: Any) -> None:
    """Raise unless every named value is one of `options`."""
    for name, value in values.items():
        if value not in options:
            shown = ", ".join(repr(o) for o in options)
            raise ValueError(f"`{name}` must be one of {shown}, got {value!r}")


def concrete(*arrays: Any) -> bool:
    """Whether the values are known, so that they can be looked at: not under jit."""
    return not any(isinstance(a, jax.core.Tracer) for a in arrays)


def path_name(path: Any) -> str:
    """A pytree path as it is written in Python, such as `[1].hidden`."""
    return jax.tree_util.keystr(path)


def kind(value: Any) -> str:
    """An array's dtype and shape, such as `float32[3, 4]`; else the type's name."""
    if hasattr(value, "dtype"):
        return f"{value.dtype}{list(value.shape)}"
    return type(value).__name__


@contextlib.contextmanager
def inside(place: str) -> Iterator[None]:
    """Errors raised within say where they arose: the place, outermost first."""
    try:
        yield
    except (ValueError, TypeError) as error:
        if type(error) in (ValueError, TypeError):
            raise type(error)(f"{place}: {error}") from error
        raise
