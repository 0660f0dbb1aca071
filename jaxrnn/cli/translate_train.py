"""`jaxrnn translate train`: from pairs of texts to a translator and its scores."""

import argparse
import math
import shlex
import sys
from typing import Any

from jaxrnn.cli.memory import keep_freed_memory
from jaxrnn.cli.options import blaming
from jaxrnn.cli.train import RunCheckpoints
from jaxrnn.cli.translate_folder import TranslatorRun
from jaxrnn.cli.translate_report import report
from jaxrnn.cli.translate_start import epoch_of, prepared, resumed, started
from jaxrnn.data import Corpus, Pair
from jaxrnn.files import save, write
from jaxrnn.models.translating import translate
from jaxrnn.models.translation_scores import chrf
from jaxrnn.models.translator_training import nats_per_character
from jaxrnn.training import (
    Callback,
    Fitted,
    MetricsFile,
    ProgressBar,
    TrainState,
    fit,
)


def run_translate_train(options: argparse.Namespace) -> int:
    """Train a translator, or go on with one.

    Args:
      options: what the parser returned.

    Returns:
      The exit status.
    """
    keep_freed_memory()
    with blaming():
        chrf()  # not to be missed only after training
    run, corpus = resumed(options) if "resume" in options else started(options)
    try:
        fitted = train(run, corpus)
    except KeyboardInterrupt:
        print(
            "jaxrnn: stopped; go on with: "
            f"jaxrnn translate train --resume {run.folder}",
            file=sys.stderr,
        )
        return 130
    with blaming():
        save(run.model_file, run.model, fitted.best)
    text = report(run, fitted.best, corpus)
    with blaming():
        write(run.scores_file, text.encode())
    print(text)
    print(f"the run is in {run.folder}; let it translate:")
    words = shlex.join(["translate", str(run.folder), corpus.valid[0].source])
    print(f"  jaxrnn {words}")
    return 0


def train(run: TranslatorRun, corpus: Corpus) -> Fitted:
    """Train from the last checkpoint, or from the beginning.

    Args:
      run: its settings.
      corpus: its pairs.

    Returns:
      What `fit` returned.
    """
    step, state = prepared(run)
    model, vocabulary, score = run.model, run.vocabulary, "valid_loss"
    hooks: list[Callback] = [
        ProgressBar(run.total, size=run.config.batch_size, unit="pair"),
        TranslatorJournal(run, corpus),
        MetricsFile(run.metrics_file),
    ]
    return fit(
        step,
        state,
        lambda epoch: epoch_of(run, corpus, epoch),
        steps=run.total,
        seconds=None if run.minutes is None else 60 * run.minutes,
        validate=lambda params: {
            score: nats_per_character(model, params, corpus.valid, vocabulary)
        },
        checkpoints=RunCheckpoints(run.checkpoints, metric=score),
        callbacks=hooks,
    )


class TranslatorJournal(Callback):
    """After every epoch: a line with a translation, and the model, if it is the best.

    Args:
      run: where to write.
      corpus: its pairs; those that validate are translated in turn.
    """

    def __init__(self, run: TranslatorRun, corpus: Corpus) -> None:
        self.run, self.corpus = run, corpus

    def on_epoch(self, state: TrainState, row: dict[str, Any]) -> None:
        from tqdm import tqdm

        run, valid = self.run, self.corpus.valid
        if row["best"]:
            save(run.model_file, run.model, state.params)
        shown: Pair = valid[row["epoch"] % len(valid)]
        texts, longest = [shown.source], run.longest_target + 1
        how = {"beam": 1, "longest": longest}
        [[found]] = translate(run.model, state.params, run.vocabulary, texts, **how)
        epochs = math.ceil(run.total / math.ceil(row["step"] / row["epoch"]))
        tqdm.write(
            f"epoch {row['epoch']}/{epochs}  train {row['loss']:.4f}  "
            f"valid {row['valid_loss']:.4f} nats/char  | {shown.source} -> {found.text}"
        )
