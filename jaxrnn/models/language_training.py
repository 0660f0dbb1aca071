"""A character language model: how it is trained, and how it is judged."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import ArrayLike

from jaxrnn.cell import Cell
from jaxrnn.combine import Stack
from jaxrnn.data import Streams, Window
from jaxrnn.losses import activation_penalty, cross_entropy, reduce, temporal_penalty
from jaxrnn.models.language import LanguageConfig
from jaxrnn.training import (
    Objective,
    adagrad,
    clip,
    cosine_decay,
    l2,
    scale_by_progress,
    skip_nonfinite,
    step_decay,
    unroll_loss,
)
from jaxrnn.typing import Array, Key, PyTree
from jaxrnn.unroll import unroll

OPTIMIZERS = {"adam": optax.adam, "adagrad": adagrad}


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
    summed = float(config.window * config.batch_size)
    parts = [
        # The gradient of the sum over the window.
        optax.scale(summed) if config.optimizer == "adagrad" else None,
        l2(config.l2) if config.l2 else None,
        clip(config.clip, by=config.clip_by),
        OPTIMIZERS[config.optimizer](config.learning_rate),
        _schedule(config, total),
    ]
    optimizer = optax.chain(*[part for part in parts if part is not None])
    return skip_nonfinite(optimizer) if config.skip_nonfinite else optimizer


def _schedule(config: LanguageConfig, total: int) -> optax.GradientTransformation:
    if config.schedule == "cosine":
        return cosine_decay(total, warmup=config.warmup)
    if config.schedule == "step":
        return step_decay(
            total,
            epochs=config.epochs,
            constant=config.decay_after,
            factor=config.decay,
            warmup=config.warmup,
        )
    constant = scale_by_progress(jnp.ones_like, total, warmup=config.warmup)
    if config.schedule == "constant":
        return constant
    plateau = optax.contrib.reduce_on_plateau(
        factor=config.decay, patience=5, accumulation_size=100
    )
    return optax.chain(constant, plateau)


def language_objective(model: Stack, *, ar: float = 0.0, tar: float = 0.0) -> Objective:
    """The mean cross-entropy of a window's characters, for `train_step`.

    Args:
      model: ids in, logits out of its last layer.
      ar: the factor of `activation_penalty`, on what the last layer reads.
      tar: of `temporal_penalty`, on the states of the last recurrent layer.

    Returns:
      A function of parameters, a `Window` without padding, carry and key; in nats,
      the penalties included.

    References:
      Merity, McCann, Socher 2017 (the penalties).
    """

    def plain(
        params: PyTree, window: Window, carry: PyTree, key: Key
    ) -> tuple[Array, PyTree]:
        xs, targets, _ = window
        return unroll_loss(
            model, params, xs, targets, cross_entropy, carry=carry, key=key
        )

    def penalised(
        params: PyTree, window: Window, carry: PyTree, key: Key
    ) -> tuple[Array, PyTree]:
        xs, targets, _ = window
        body, head = Stack(*model.cells[:-1]), model.cells[-1]
        last, ys, states = unroll(
            body, params[:-1], xs, carry[:-1], key=key, collect=body.hidden
        )
        logits = head.project(head.prepare(params[-1]), ys)
        value = reduce(cross_entropy(logits, jnp.asarray(targets)))
        value += ar * activation_penalty(ys) + tar * temporal_penalty(states)
        return value, (*last, carry[-1])

    return penalised if ar or tar else plain


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
      >>> from jaxrnn.models import LanguageConfig, language_model
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
