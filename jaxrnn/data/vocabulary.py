"""The characters a model knows, and their numbers."""

from dataclasses import dataclass
from functools import cached_property
from sys import maxunicode

import numpy as np
from numpy.typing import ArrayLike

from jaxrnn.data.checks import check_integers


@dataclass(frozen=True)
class Vocabulary:
    """The characters a model knows; a character's number is its place among them.

    Attributes:
      characters: the distinct characters, a string, so a vocabulary goes to JSON and
        back as it is.

    Raises:
      TypeError: `characters` is not a string.
      ValueError: `characters` is empty, or holds a character twice.

    Example:
      >>> from jaxrnn.data import Vocabulary
      >>> vocabulary = Vocabulary.from_text("banana")
      >>> vocabulary
      Vocabulary(characters='abn')
      >>> vocabulary.encode("nab")
      array([2, 0, 1], dtype=int32)
      >>> vocabulary.decode([1, 0, 2])
      'ban'
    """

    characters: str

    def __post_init__(self) -> None:
        _check_string("characters", self.characters)
        if not self.characters:
            raise ValueError("`characters` must hold at least one character, got none")
        if len(set(self.characters)) < len(self.characters):
            twice = next(c for c in self.characters if self.characters.count(c) > 1)
            raise ValueError(f"`characters` must be distinct, got {twice!r} twice")

    @classmethod
    def from_text(cls, text: str) -> "Vocabulary":
        """Returns the vocabulary of a text, its characters in code point order.

        Args:
          text: at least one character.

        Returns:
          The vocabulary.

        Raises:
          TypeError: `text` is not a string.
          ValueError: `text` is empty.

        Example:
          >>> len(Vocabulary.from_text("hello"))
          4
        """
        _check_string("text", text)
        if not text:
            raise ValueError("`text` must hold at least one character, got none")
        return cls("".join(sorted(set(text))))

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> np.ndarray:
        """Returns the numbers of the characters of a text.

        Args:
          text: N characters of the vocabulary.

        Returns:
          int32 array [N].

        Raises:
          TypeError: `text` is not a string.
          ValueError: `text` holds a character outside the vocabulary.

        Example:
          >>> Vocabulary("ab").encode("abba")
          array([0, 1, 1, 0], dtype=int32)
        """
        _check_string("text", text)
        ids = self._number_of[_code_points(text)]
        if (ids < 0).any():
            unknown = sorted(set(text) - set(self.characters), key=text.index)
            shown = [f"{c!r} at position {text.index(c)}" for c in unknown[:5]]
            rest = f" and {len(unknown) - 5} others" if len(unknown) > 5 else ""
            raise ValueError(
                "`text` must hold characters of the vocabulary only, got "
                + ", ".join(shown)
                + rest
            )
        return ids

    def decode(self, ids: ArrayLike) -> str:
        """Returns the text that was encoded.

        Args:
          ids: integers [N], each in [0, len(self)).

        Returns:
          N characters.

        Raises:
          TypeError: `ids` does not hold integers.
          ValueError: `ids` has not one axis, or a number outside the vocabulary.

        Example:
          >>> Vocabulary("ab").decode([0, 1, 1, 0])
          'abba'
        """
        ids = check_integers("ids", ids, below=len(self))
        return "".join([self.characters[i] for i in ids.tolist()])

    @cached_property
    def _number_of(self) -> np.ndarray:
        """The number of every code point there is, int32; -1 for an unknown one."""
        numbers = np.full(maxunicode + 1, -1, np.int32)
        numbers[_code_points(self.characters)] = np.arange(len(self))
        return numbers


def _check_string(name: str, value: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"`{name}` must be a string, got {type(value).__name__}")


def _code_points(text: str) -> np.ndarray:
    # UTF-32 is the code points themselves; surrogates pass because a str may hold them.
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))
