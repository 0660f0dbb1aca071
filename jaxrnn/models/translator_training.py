"""A translator: how it is trained, and how it is judged on the way."""

import functools
from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxrnn.cell import Cell
from jaxrnn.data import Pair, PairBatch, Vocabulary, pair_batches
from jaxrnn.losses import cross_entropy
from jaxrnn.models.translator import END, TranslatorConfig
from jaxrnn.training import Objective, clip, cosine_decay, unroll_loss
from jaxrnn.typing import Array, Key, PyTree


def translator_optimizer(
    config: TranslatorConfig, total: int
) -> optax.GradientTransformation:
    """The optimizer of a translator.

    Args:
      config: how it is trained.
      total: the steps of the whole run, for the decay of the learning rate.
    """
    return optax.chain(
        clip(config.clip),
        optax.adam(config.learning_rate),
        cosine_decay(total, warmup=config.warmup),
    )


def encoded_batches(
    pairs: Sequence[Pair],
    vocabulary: Vocabulary,
    *,
    batch_size: int,
    buckets: int = 4,
    shuffle: bool = True,
    seed: int = 0,
    epoch: int = 0,
) -> Iterator[PairBatch]:
    """Pairs as batches of numbers, `END` behind each target.

    Args:
      pairs: any.
      vocabulary: of `translator_vocabulary`.
      batch_size, buckets, shuffle, seed, epoch: as for `pair_batches`.

    Example:
      >>> batches = encoded_batches(
      ...     [Pair("ab", "c")], Vocabulary(END + "abc"), batch_size=1
      ... )
      >>> next(batches)[:3]
      (array([[1, 2]], dtype=int32), array([2], dtype=int32), array([[3],
             [0]], dtype=int32))
    """
    return pair_batches(
        [vocabulary.encode(pair.source) for pair in pairs],
        [vocabulary.encode(pair.target + END) for pair in pairs],
        batch_size=batch_size,
        max_buckets=buckets,
        shuffle=shuffle,
        seed=seed,
        epoch=epoch,
    )


def translator_objective(model: Cell) -> Objective:
    """The mean cross-entropy of a target's characters, each after the true ones before.

    Args:
      model: of `translator`.

    Returns:
      A function of parameters, a `PairBatch`, no carry and a key, for `train_step`; in
      nats.
    """

    def objective(
        params: PyTree, batch: PairBatch, carry: None, key: Key
    ) -> tuple[Array, None]:
        return _teacher_forced(model, params, batch, key=key), None

    return objective


def nats_per_character(
    model: Cell,
    params: PyTree,
    pairs: Sequence[Pair],
    vocabulary: Vocabulary,
    *,
    batch_size: int = 128,
) -> float:
    """The mean of -log p of the targets' characters, `END` included.

    Args:
      model: of `translator`.
      params: of the model.
      pairs: any, at least one.
      vocabulary: of `translator_vocabulary`.
      batch_size: pairs at a time.
    """
    batches = encoded_batches(
        pairs, vocabulary, batch_size=batch_size, buckets=1, shuffle=False
    )
    nats = [_nats(model, params, batch) for batch in batches]
    characters = sum(len(pair.target) + 1 for pair in pairs)
    return float(np.sum(jax.device_get(nats), dtype=np.float64)) / characters


@functools.partial(jax.jit, static_argnums=0)
def _nats(model: Cell, params: PyTree, batch: PairBatch) -> Array:
    return _teacher_forced(model, params, batch, reduction="sum")


def _teacher_forced(
    model: Cell,
    params: PyTree,
    batch: PairBatch,
    *,
    key: Key | None = None,
    reduction: str = "mean",
) -> Array:
    targets = jnp.asarray(batch.targets)
    before = jnp.pad(targets, ((1, 0), (0, 0)))[:-1]  # END is number 0
    loss, _ = unroll_loss(
        model,
        params,
        before,
        targets,
        cross_entropy,
        lengths=jnp.asarray(batch.target_lengths),
        context={"source": batch.sources, "lengths": batch.source_lengths},
        key=key,
        reduction=reduction,
    )
    return loss
