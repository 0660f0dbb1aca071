"""From the options of `jaxrnn train` to a run, a new one or one to go on with."""

import argparse
import dataclasses
import functools
import math
import time
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxrnn.cli.folder import Run, new_folder, read_run, sha256, text_of
from jaxrnn.cli.options import SETTINGS, BadInput, blaming
from jaxrnn.data import Streams, Vocabulary, split
from jaxrnn.models.language import MIN_CHAR_RNN, LanguageConfig, language_model
from jaxrnn.models.language_training import language_objective, language_optimizer
from jaxrnn.training import TrainState, TrainStep, init_state, train_step


class Parts(NamedTuple):
    """A text in two parts: windows to train on, and ids to validate on."""

    train: Streams
    valid: np.ndarray


def started(options: argparse.Namespace) -> tuple[Run, Parts]:
    """A new run, its settings written to its folder.

    Args:
      options: what the parser returned.
    """
    given = vars(options)
    base = MIN_CHAR_RNN if "preset" in given else LanguageConfig()
    with blaming():
        config = dataclasses.replace(
            base, **{k: given[k] for k in SETTINGS if k in given}
        )
    minutes = given.get("minutes")
    if minutes is not None and not 0 < minutes < math.inf:
        raise BadInput(f"`minutes` must be positive and finite, got {minutes}")
    file = given.get("file")
    text = text_of(file)
    parts = parts_of(text, config)
    folder = new_folder(given.get("run"))
    run = Run(
        folder,
        config,
        characters=Vocabulary.from_text(text).characters,
        file=None if file is None else str(Path(file).resolve()),
        sha256=sha256(text),
        total=config.epochs * len(parts.train),
        minutes=minutes,
    )
    if minutes is not None:
        run = dataclasses.replace(run, total=_windows_in(60 * minutes, run, parts))
    with blaming():
        run.write()
    return run, parts


def resumed(options: argparse.Namespace) -> tuple[Run, Parts]:
    """A run to go on with.

    Args:
      options: what the parser returned.
    """
    fixed = [*SETTINGS, "minutes", "preset", "run", "file"]
    for name in fixed:
        if name in options:
            shown = "FILE" if name == "file" else "--" + name.replace("_", "-")
            raise BadInput(f"--resume goes on as the run began: leave out {shown}")
    run = read_run(options.resume)
    return run, parts_of(run.text(), run.config)


def parts_of(text: str, config: LanguageConfig) -> Parts:
    """The first nine tenths of a text, to train on, and the last, to validate on.

    Args:
      text: any.
      config: has the shape of the windows.
    """
    ids = Vocabulary.from_text(text).encode(text)
    needed = config.window * config.batch_size + 1
    cut = len(ids) - round(len(ids) / 10)
    if cut < needed or len(ids) - cut < 2:
        raise BadInput(
            f"the text of {len(ids)} characters is too short: its first nine tenths "
            f"must hold window * batch_size + 1 = {needed}, and the last tenth 2"
        )
    train, valid = split(ids)
    streams = Streams(
        train, batch_size=config.batch_size, window=config.window, drop_last=True
    )
    return Parts(streams, valid)


def prepared(run: Run) -> tuple[TrainStep, TrainState]:
    """The step of a run, and the state that it starts from.

    Args:
      run: its settings.
    """
    config, model = run.config, run.model
    init_key, train_key = jax.random.split(jax.random.key(config.seed))
    params = model.init(init_key)
    carry = model.initial_carry(model.prepare(params), (config.batch_size,))
    optimizer = language_optimizer(config, run.total)
    state = init_state(params, optimizer, train_key, carry)
    return _compiled(config, len(run.characters)), state


@functools.cache
def _compiled(config: LanguageConfig, vocab_size: int) -> TrainStep:
    # The number of steps is in the optimizer's state: one compilation for any.
    model = language_model(config, vocab_size)
    objective = language_objective(model, ar=config.ar, tar=config.tar)
    return train_step(objective, language_optimizer(config, total=1))


def _windows_in(seconds: float, run: Run, parts: Parts) -> int:
    """How many windows the machine can train on in so many seconds, some to spare."""
    step, state = prepared(run)
    window, times = parts.train.window(0), []
    for _ in range(8):
        began = time.monotonic()
        state, metrics = step(state, window)
        jax.block_until_ready(metrics)
        times.append(time.monotonic() - began)
    # A tenth is for validation and samples.
    return max(int(0.9 * seconds / np.median(times[1:])), 1)
