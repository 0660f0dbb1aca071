"""A character language model: what it is made of, and how it is trained and judged."""

import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import ArrayLike

from jaxrnn import checks
from jaxrnn.cell import Cell
from jaxrnn.cells import GRU, LSTM, Dense, Dropout, Elman, Embed, OneHot
from jaxrnn.combine import Stack
from jaxrnn.data import Streams, Window
from jaxrnn.initializers import Normal
from jaxrnn.losses import cross_entropy
from jaxrnn.training import Objective, adagrad, adam, unroll_loss
from jaxrnn.typing import Array, Key, PyTree

CELLS = {"elman": Elman, "gru": functools.partial(GRU, reset="after"), "lstm": LSTM}


@dataclasses.dataclass(frozen=True)
class LanguageConfig:
    """What a character language model is made of, and how it is trained.

    Attributes:
      cell: "lstm", "gru" or "elman".
      hidden_size: of every layer.
      layers: recurrent ones.
      embedding: the size of a character's vector; 0 for one-hot vectors.
      dropout: the part of every layer's outputs that a training step does without.
      window: the steps that gradients go back.
      batch_size: the streams that the text is cut into.
      optimizer: "adam", with warm-up, cosine decay and clipping by global norm; or
        "adagrad", with clipping by value, on the sum of a window's losses.
      learning_rate: at its highest.
      clip: the largest norm, or the largest value, of a gradient.
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
    window: int = 64
    batch_size: int = 32
    optimizer: str = "adam"
    learning_rate: float = 4e-3
    clip: float = 1.0
    stddev: float = 0.0
    epochs: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        checks.one_of(tuple(CELLS), cell=self.cell)
        checks.one_of(("adam", "adagrad"), optimizer=self.optimizer)
        for name in ("hidden_size", "layers", "window", "batch_size", "epochs"):
            checks.positive(**{name: getattr(self, name)})
        if self.embedding:
            checks.positive(embedding=self.embedding)
        checks.probability(dropout=self.dropout)
        for name in ("learning_rate", "clip"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"`{name}` must be positive and finite, got {value}")
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
    clip=5.0,
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
    make: Any = CELLS[config.cell]
    weights = {"kernel_init": Normal(config.stddev)} if config.stddev else {}
    if weights:
        make = functools.partial(make, recurrent_init=Normal(config.stddev), **weights)
    size = config.embedding
    layers: list[Cell] = [Embed(vocab_size, size) if size else OneHot(vocab_size)]
    for _ in range(config.layers):
        layers.append(make(config.hidden_size))
        if config.dropout:
            layers.append(Dropout(config.dropout))
    return Stack(*layers, Dense(vocab_size, **weights))


def language_optimizer(
    config: LanguageConfig, total: int
) -> optax.GradientTransformation:
    """The optimizer of a character language model.

    Args:
      config: how it is trained.
      total: the steps of the whole run, for the decay of the learning rate.

    Returns:
      The optimizer, for the mean of a window's losses.
    """
    if config.optimizer == "adam":
        return adam(config.learning_rate, clip=config.clip, total=total, warmup=50)
    # The gradient of the sum over the window.
    summed = optax.scale(float(config.window * config.batch_size))
    return optax.chain(summed, adagrad(config.learning_rate, clip=config.clip))


def language_objective(model: Cell) -> Objective:
    """The mean cross-entropy of a window's characters, for `train_step`.

    Args:
      model: ids in, logits out.

    Returns:
      A function of parameters, a `Window` without padding, carry and key; in nats.
    """

    def objective(
        params: PyTree, window: Window, carry: PyTree, key: Key
    ) -> tuple[Array, PyTree]:
        xs, targets, _ = window
        return unroll_loss(
            model, params, xs, targets, cross_entropy, carry=carry, key=key
        )

    return objective


def bits_per_character(
    model: Cell, params: PyTree, ids: ArrayLike, *, streams: int = 8, window: int = 64
) -> float:
    """The mean of -log2 p of the characters of a text, all but the first.

    Args:
      model: ids in, logits out.
      params: of the model.
      ids: integers [N], N at least 2.
      streams: the pieces that are read side by side, each from the initial carry: the
        more, the faster, and the more characters lack what stood before them.
      window: the steps that are read at a time; the carry goes on.

    Returns:
      Bits.

    Raises:
      ValueError: there are fewer than 2 ids.

    Example:
      >>> config = LanguageConfig(hidden_size=8)
      >>> model = language_model(config, 4)
      >>> params = model.init(jax.random.key(0))
      >>> zeros = jax.tree.map(jnp.zeros_like, params)
      >>> round(bits_per_character(model, zeros, [0, 3, 1, 2, 1]), 4)
      2.0
    """
    ids = np.asarray(ids)
    pairs = len(ids) - 1
    if pairs < 1:
        raise ValueError(f"`ids` must hold at least 2 characters, got {len(ids)}")
    streams = max(min(streams, pairs // window), 1)
    cut = Streams(ids, batch_size=streams, window=min(window, pairs))
    carry = model.initial_carry(model.prepare(params), (streams,))
    nats = []
    for piece in cut:
        value, carry = _nats(model, params, piece, carry)
        nats.append(value)
    return float(np.sum(jax.device_get(nats), dtype=np.float64)) / pairs / math.log(2)


@functools.partial(jax.jit, static_argnums=0)
def _nats(
    model: Cell, params: PyTree, window: Window, carry: PyTree
) -> tuple[Array, PyTree]:
    xs, targets, mask = window
    return unroll_loss(
        model,
        params,
        xs,
        targets,
        cross_entropy,
        carry=carry,
        mask=jnp.asarray(mask),
        reduction="sum",
    )
