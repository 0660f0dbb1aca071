"""`jaxrnn train`: from a text to a model, its scores and its samples."""

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from jaxrnn.cli.folder import Run
from jaxrnn.cli.journal import Journal, in_bits
from jaxrnn.cli.memory import keep_freed_memory
from jaxrnn.cli.options import blaming
from jaxrnn.cli.profile import Profile
from jaxrnn.cli.start import Parts, prepared, resumed, started
from jaxrnn.files import save
from jaxrnn.models import GradientLog, language_look, ngram
from jaxrnn.models.language_training import bits_per_character
from jaxrnn.models.sampling import sample
from jaxrnn.training import (
    Callback,
    Checkpoints,
    Fitted,
    MetricsFile,
    ProgressBar,
    fit,
    read_rows,
)
from jaxrnn.typing import PyTree


def run_train(options: argparse.Namespace) -> int:
    """Train a model, or go on with one.

    Args:
      options: what the parser returned.

    Returns:
      The exit status.
    """
    keep_freed_memory()
    run, parts = resumed(options) if "resume" in options else started(options)
    profile = [Profile(run)] if options.profile else []
    looks = [gradient_log(run)] if options.gradflow else []
    try:
        fitted = train(run, parts, [*profile, *looks])
    except KeyboardInterrupt:
        print(
            f"jaxrnn: stopped; go on with: jaxrnn train --resume {run.folder}",
            file=sys.stderr,
        )
        return 130
    with blaming():
        save(run.model_file, run.model, fitted.best)
    _conclude(run, parts, fitted)
    for measured in profile:
        print(measured.report())
    if looks and not run.gradients_figure.exists():
        every = looks[0].every
        print(f"no picture of gradients: it takes {every} steps for the first look")
    return 0


def train(run: Run, parts: Parts, callbacks: Sequence[Callback]) -> Fitted:
    """Train from the last checkpoint, or from the beginning.

    Args:
      run: its settings.
      parts: its text.
      callbacks: what else is to happen.

    Returns:
      What `fit` returned.
    """
    step, state = prepared(run)
    model, window = run.model, run.config.window * run.config.batch_size
    hooks: list[Callback] = [
        ProgressBar(run.total, size=window, unit="char", show=_in_words),
        Journal(run, baselines(run, parts), windows=len(parts.train)),
        MetricsFile(run.metrics_file, translate=in_bits),
        *callbacks,
    ]
    return fit(
        step,
        state,
        lambda epoch: parts.train,
        steps=run.total,
        seconds=None if run.minutes is None else 60 * run.minutes,
        validate=lambda params: {
            "valid_bits_per_char": bits_per_character(model, params, parts.valid)
        },
        checkpoints=RunCheckpoints(run.checkpoints, metric="valid_bits_per_char"),
        callbacks=hooks,
    )


def gradient_log(run: Run) -> GradientLog:
    """What `--gradflow` adds to a run.

    Args:
      run: its settings.
    """
    config = run.config
    return GradientLog(
        run.gradients_file,
        language_look(run.model),
        every=min(100, run.total),
        limit=config.clip if config.clip_by == "norm" else None,
        picture=run.gradients_figure,
    )


class RunCheckpoints(Checkpoints):
    """Checkpoints whose damage, or lack of room, is the user's to know."""

    def restore(self, like: PyTree, step: int | None = None) -> PyTree:
        with blaming():
            return super().restore(like, step)

    def save(
        self, step: int, state: PyTree, metrics: Mapping[str, Any] | None = None
    ) -> None:
        with blaming():
            super().save(step, state, metrics)


def baselines(run: Run, parts: Parts) -> dict[str, float]:
    """What models without a network reach on the same split, in bits per character.

    Args:
      run: has the vocabulary.
      parts: of its text.
    """
    size = len(run.characters)
    five = ngram.bits_per_character(parts.train.ids, parts.valid, vocab_size=size)
    return {"5-gram": five, "uniform": math.log2(size)}


def _in_words(loss: float) -> str:
    return f"{loss / math.log(2):.3f} bits/char"


def _conclude(run: Run, parts: Parts, fitted: Fitted) -> None:
    drawn = sample(
        run.model,
        fitted.best,
        run.vocabulary,
        length=400,
        temperature=0.8,
        seed=run.config.seed,
    )
    print("".join(drawn), end="\n\n")
    scores = [
        r["valid_bits_per_char"] for r in read_rows(run.metrics_file) if "epoch" in r
    ]
    print("bits per character on the last tenth of the text:")
    for name, bits in {"this model": min(scores), **baselines(run, parts)}.items():
        print(f"  {name:10}  {bits:.4f}")
    print(f"the run is in {run.folder}; let it write: jaxrnn sample {run.folder}")
