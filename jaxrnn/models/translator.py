"""A translator of short texts, character by character: what it is made of."""

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

from jaxrnn import checks
from jaxrnn.attention import Additive, Attend, General
from jaxrnn.cell import Cell
from jaxrnn.cells import Dense, Dropout, Embed
from jaxrnn.combine import Bidirectional, Stack
from jaxrnn.data import Pair, Vocabulary
from jaxrnn.models.language import CELLS
from jaxrnn.seq2seq import Bridge, EncoderDecoder

END = "\n"
"""What targets begin and end with; a tidy text holds none."""


@dataclasses.dataclass(frozen=True)
class TranslatorConfig:
    """What a translator is made of, and how it is trained.

    Attributes:
      cell: "lstm", "gru" or "elman".
      hidden_size: of the decoder, and of the encoder's two directions together: even.
      embedding: the size of a character's vector.
      attention: "additive" (Bahdanau: looks before a step), "general" (Luong: looks
        after it, and feeds what it saw to the next one) or "none".
      dropout: the part of the decoder's outputs that a training step does without.
      batch_size: pairs.
      buckets: the shapes that batches have at most.
      learning_rate: of Adam, at its highest; from there it falls along a cosine.
      warmup: steps until then.
      clip: the largest norm of a gradient.
      epochs: passes through the pairs.
      seed: of all randomness.

    Raises:
      ValueError, TypeError: a value is out of range or of the wrong type.

    Example:
      >>> TranslatorConfig(hidden_size=7)
      Traceback (most recent call last):
      ValueError: `hidden_size` must be even, got 7
    """

    cell: str = "gru"
    hidden_size: int = 128
    embedding: int = 48
    attention: str = "general"
    dropout: float = 0.0
    batch_size: int = 128
    buckets: int = 4
    learning_rate: float = 3e-3
    warmup: int = 100
    clip: float = 1.0
    epochs: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        checks.one_of(tuple(CELLS), cell=self.cell)
        checks.one_of(("additive", "general", "none"), attention=self.attention)
        for name in ("hidden_size", "embedding", "batch_size", "buckets", "epochs"):
            checks.positive(**{name: getattr(self, name)})
        if self.hidden_size % 2:
            raise ValueError(f"`hidden_size` must be even, got {self.hidden_size}")
        if self.warmup:
            checks.positive(warmup=self.warmup)
        checks.probability(dropout=self.dropout)
        for name in ("learning_rate", "clip"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"`{name}` must be positive and finite, got {value}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"`seed` must lie in [0, 2**32), got {self.seed}")


def translator(config: TranslatorConfig, vocab_size: int) -> EncoderDecoder:
    """The cell of a translator: ids in, logits of the next out, a source as context.

    Args:
      config: what it is made of.
      vocab_size: the number of characters, of sources and targets alike.

    Returns:
      An encoder that reads in both directions, and a decoder that starts from a map of
      its last states and looks at all of its outputs.

    Example:
      >>> translator(TranslatorConfig(hidden_size=8, attention="none"), 5).encoder
      Stack(Embed(5, 48), Bidirectional(GRU(4, reset='after'), ...))
    """
    size, cell = config.hidden_size, CELLS[config.cell]
    characters = Embed(vocab_size, config.embedding)
    layers: list[Cell] = [characters, _looking(cell(size), config)]
    if config.dropout:
        layers.append(Dropout(config.dropout))
    return EncoderDecoder(
        Stack(*layers, Dense(vocab_size)),
        encoder=Stack(characters, Bidirectional(cell(size // 2))),
        bridge=Bridge(),
    )


def _looking(cell: Cell, config: TranslatorConfig) -> Cell:
    size: dict[str, Any] = {"memory_size": config.hidden_size}
    if config.attention == "additive":
        return Attend(cell, Additive(config.hidden_size // 2), **size)
    if config.attention == "general":
        return Attend(cell, General(), look="after", **size)
    return cell


def translator_vocabulary(pairs: Iterable[Pair]) -> Vocabulary:
    """The characters of pairs, and before them `END`, whose number is 0.

    Args:
      pairs: those to translate, sources and targets.

    Example:
      >>> translator_vocabulary([Pair("un", "one")]).characters
      '\\nenou'
    """
    seen = {character for pair in pairs for character in pair.source + pair.target}
    return Vocabulary(END + "".join(sorted(seen - {END})))
