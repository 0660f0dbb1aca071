"""A character language model: what it is made of, and how it is trained."""

import dataclasses
import functools
import math
from typing import Any

from jaxrnn import checks
from jaxrnn.cell import Cell
from jaxrnn.cells import GRU, LSTM, Dense, Dropout, Elman, Embed, OneHot
from jaxrnn.combine import Residual, Stack, VariationalDropout, WeightDrop
from jaxrnn.initializers import Normal

CELLS: dict[str, Any] = {
    "elman": Elman,
    "gru": functools.partial(GRU, reset="after"),
    "lstm": LSTM,
}


@dataclasses.dataclass(frozen=True)
class LanguageConfig:
    """What a character language model is made of, and how it is trained.

    Attributes:
      cell: "lstm", "gru" or "elman".
      hidden_size: of every layer.
      layers: recurrent ones.
      embedding: the size of a character's vector; 0 for one-hot vectors.
      dropout: the part of every layer's outputs that a training step does without.
      variational_dropout: the part of every layer's inputs and states, and of the last
        one's outputs, that all steps of a window do without.
      weight_drop: the part of the recurrent weights that a window does without.
      residual: whether the inputs of a layer are added to its outputs, where they are
        of one size.
      window: the steps that gradients go back.
      batch_size: the streams that the text is cut into.
      optimizer: "adam"; or "adagrad", on the sum of a window's losses.
      learning_rate: at its highest.
      schedule: of the learning rate: "cosine", down to 0; "constant"; "step", constant
        for `decay_after` epochs and then times `decay` in each; "plateau", times
        `decay` where the training loss of 100 windows was not the lowest 5 times.
      warmup: steps until the learning rate is at its highest.
      decay, decay_after: see `schedule`.
      clip: the largest norm, or the largest value, of a gradient.
      clip_by: what is clipped: the "norm" of all gradients, of each layer's ("block"),
        of each array's ("leaf"), or each "value".
      l2: the rate of the penalty on the squares of kernels.
      ar, tar: the factors of the penalties on large states, and on states that change.
      skip_nonfinite: leave out steps whose loss or gradient is not finite, in place of
        stopping there.
      stddev: of normally distributed weights; 0: what the layers take by default.
      epochs: passes through the text.
      seed: of all randomness.

    Raises:
      ValueError, TypeError: a value is out of range or of the wrong type.

    Example:
      >>> LanguageConfig(cell="gru", layers=0)
      Traceback (most recent call last):
      ValueError: `layers` must be at least 1, got 0
    """

    cell: str = "lstm"
    hidden_size: int = 512
    layers: int = 1
    embedding: int = 64
    dropout: float = 0.5
    variational_dropout: float = 0.0
    weight_drop: float = 0.0
    residual: bool = False
    window: int = 64
    batch_size: int = 32
    optimizer: str = "adam"
    learning_rate: float = 4e-3
    schedule: str = "cosine"
    warmup: int = 50
    decay: float = 0.5
    decay_after: int = 4
    clip: float = 1.0
    clip_by: str = "norm"
    l2: float = 0.0
    ar: float = 0.0
    tar: float = 0.0
    skip_nonfinite: bool = False
    stddev: float = 0.0
    epochs: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        checks.one_of(tuple(CELLS), cell=self.cell)
        checks.one_of(("adam", "adagrad"), optimizer=self.optimizer)
        checks.one_of(("cosine", "constant", "step", "plateau"), schedule=self.schedule)
        checks.one_of(("norm", "block", "leaf", "value"), clip_by=self.clip_by)
        sizes = ("hidden_size", "layers", "window", "batch_size", "epochs")
        for name in (*sizes, "decay_after"):
            checks.positive(**{name: getattr(self, name)})
        for name in ("embedding", "warmup"):
            if getattr(self, name):
                checks.positive(**{name: getattr(self, name)})
        for name in ("dropout", "variational_dropout", "weight_drop"):
            checks.probability(**{name: getattr(self, name)})
        for name in ("learning_rate", "clip"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"`{name}` must be positive and finite, got {value}")
        for name in ("l2", "ar", "tar"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"`{name}` must be at least 0 and finite, got {value}")
        if not 0 < self.decay < 1:
            raise ValueError(f"`decay` must lie in (0, 1), got {self.decay}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"`seed` must lie in [0, 2**32), got {self.seed}")


MIN_CHAR_RNN = LanguageConfig(
    cell="elman",
    hidden_size=100,
    embedding=0,
    dropout=0.0,
    window=25,
    batch_size=1,
    optimizer="adagrad",
    learning_rate=0.1,
    schedule="constant",
    warmup=0,
    clip=5.0,
    clip_by="value",
    stddev=0.01,
)
"""The settings of min-char-rnn (Karpathy 2015)."""


def language_model(config: LanguageConfig, vocab_size: int) -> Stack:
    """The cell of a character language model: ids in, logits of the next one out.

    Args:
      config: what it is made of.
      vocab_size: the number of characters.

    Returns:
      A stack of an embedding, the recurrent layers, each with dropout behind it, and an
      affine map to the logits.

    Example:
      >>> language_model(LanguageConfig(hidden_size=8, layers=2, dropout=0.0), 5)
      Stack(Embed(5, 64), LSTM(8), LSTM(8), Dense(5))
    """
    weights = {"kernel_init": Normal(config.stddev)} if config.stddev else {}
    size = config.embedding
    layers: list[Cell] = [Embed(vocab_size, size) if size else OneHot(vocab_size)]
    for index in range(config.layers):
        layers.append(_layer(config, index, size or vocab_size))
        if config.dropout:
            layers.append(Dropout(config.dropout))
    return Stack(*layers, Dense(vocab_size, **weights))


def _layer(config: LanguageConfig, index: int, embedding: int) -> Cell:
    """A recurrent layer, and what the settings put around it, from the inside out."""
    normal: Any = Normal(config.stddev)
    weights = {"kernel_init": normal, "recurrent_init": normal} if config.stddev else {}
    layer: Cell = CELLS[config.cell](config.hidden_size, **weights)
    if config.weight_drop:
        layer = WeightDrop(layer, config.weight_drop)
    if config.variational_dropout:
        rate, is_last = config.variational_dropout, index == config.layers - 1
        outputs = rate if is_last else 0.0
        layer = VariationalDropout(layer, inputs=rate, state=rate, outputs=outputs)
    if config.residual and (embedding if index == 0 else config.hidden_size) == (
        config.hidden_size
    ):
        layer = Residual(layer)
    return layer
