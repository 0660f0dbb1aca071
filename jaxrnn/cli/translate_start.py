"""From the options of `jaxrnn translate train` to a run, new or to go on with."""

import argparse
import dataclasses
import functools
import itertools
import math
import time
from pathlib import Path

import jax
import numpy as np

from jaxrnn.cli.folder import new_folder, read_as
from jaxrnn.cli.options import BadInput, blaming
from jaxrnn.cli.translate_folder import TranslatorRun, corpus_hash, corpus_of
from jaxrnn.cli.translate_options import TRANSLATOR_SETTINGS
from jaxrnn.data import Corpus, PairBatch, Vocabulary
from jaxrnn.models.translator import (
    TranslatorConfig,
    translator,
    translator_vocabulary,
)
from jaxrnn.models.translator_training import (
    encoded_batches,
    translator_objective,
    translator_optimizer,
)
from jaxrnn.training import TrainState, TrainStep, init_state, train_step


def started(options: argparse.Namespace) -> tuple[TranslatorRun, Corpus]:
    """A new run, its settings written to its folder.

    Args:
      options: what the parser returned.
    """
    given = vars(options)
    with blaming():
        settings = {k: given[k] for k in TRANSLATOR_SETTINGS if k in given}
        config = TranslatorConfig(**settings)
    minutes = given.get("minutes")
    if minutes is not None and not 0 < minutes < math.inf:
        raise BadInput(f"`minutes` must be positive and finite, got {minutes}")
    file = given.get("file")
    corpus = corpus_of(file, config.seed)
    longest = lambda texts: max(map(len, texts))
    run = TranslatorRun(
        new_folder(given.get("run")),
        config,
        characters=translator_vocabulary(corpus.pairs()).characters,
        file=None if file is None else str(Path(file).resolve()),
        sha256=corpus_hash(corpus),
        total=0,
        minutes=minutes,
        longest_source=longest(pair.source for pair in corpus.train),
        longest_target=longest(pair.target for pair in corpus.train),
    )
    run = dataclasses.replace(run, total=_total(run, corpus))
    with blaming():
        run.write()
    return run, corpus


def resumed(options: argparse.Namespace) -> tuple[TranslatorRun, Corpus]:
    """A run to go on with.

    Args:
      options: what the parser returned.
    """
    for name in (*TRANSLATOR_SETTINGS, "minutes", "run", "file"):
        if name in options:
            shown = "FILE" if name == "file" else "--" + name.replace("_", "-")
            raise BadInput(f"--resume goes on as the run began: leave out {shown}")
    run = read_as(TranslatorRun, options.resume)
    return run, run.corpus()


def epoch_of(run: TranslatorRun, corpus: Corpus, epoch: int) -> list[PairBatch]:
    """The batches of an epoch.

    Args:
      run: has the batches' size and the vocabulary.
      corpus: of the run.
      epoch: its number, from 0.
    """
    config = run.config
    batches = encoded_batches(
        corpus.train,
        Vocabulary(run.characters),
        batch_size=config.batch_size,
        buckets=config.buckets,
        seed=config.seed,
        epoch=epoch,
    )
    return [*batches]


def prepared(run: TranslatorRun) -> tuple[TrainStep, TrainState]:
    """The step of a run, and the state that it starts from.

    Args:
      run: its settings.
    """
    init_key, train_key = jax.random.split(jax.random.key(run.config.seed))
    params = run.model.init(init_key)
    optimizer = translator_optimizer(run.config, run.total)
    state = init_state(params, optimizer, train_key)
    return _compiled(run.config, len(run.characters)), state


@functools.cache
def _compiled(config: TranslatorConfig, vocab_size: int) -> TrainStep:
    # The number of steps is in the optimizer's state: one compilation for any.
    objective = translator_objective(translator(config, vocab_size))
    return train_step(objective, translator_optimizer(config, total=1))


def _total(run: TranslatorRun, corpus: Corpus) -> int:
    """The steps of a run: of its epochs, or as many as its minutes have room for."""
    batches = epoch_of(run, corpus, 0)
    if run.minutes is None:
        return run.config.epochs * len(batches)
    step, state = prepared(dataclasses.replace(run, total=1))
    means = []
    # A bucket's batches have one shape; its share of the time is that of its batches.
    shape = lambda batch: batch.targets.shape
    for _, alike in itertools.groupby(sorted(batches, key=shape), shape):
        own, times = [*alike], []
        for _ in range(4):
            began = time.monotonic()
            state, metrics = step(state, own[0])
            jax.block_until_ready(metrics)
            times.append(time.monotonic() - began)
        means.append(np.median(times[1:]) * len(own) / len(batches))
    # A tenth is for validation.
    return max(int(0.9 * 60 * run.minutes / sum(means)), 1)
