"""The folder of a translator's run."""

import dataclasses
from pathlib import Path
from typing import ClassVar

from jaxrnn.cli.folder import Run, sha256
from jaxrnn.cli.options import BadInput, blaming
from jaxrnn.data import Corpus, read_pairs, split_pairs, written
from jaxrnn.models.translator import TranslatorConfig, translator
from jaxrnn.seq2seq import EncoderDecoder


@dataclasses.dataclass(frozen=True)
class TranslatorRun(Run):
    """What a translator was started with.

    Attributes:
      file: the pairs' absolute path; None: the corpus of `written`.
      sha256: of the corpus.
      total: steps to train.
      longest_source, longest_target: characters, of those to train on.
    """

    config: TranslatorConfig  # type: ignore[assignment]
    longest_source: int = 0
    longest_target: int = 0

    command: ClassVar[str] = "translate train"
    settings: ClassVar[type] = TranslatorConfig

    @property
    def model(self) -> EncoderDecoder:  # type: ignore[override]
        return translator(self.config, len(self.characters))

    @property
    def attends(self) -> bool:
        return self.config.attention != "none"

    @property
    def picture_file(self) -> Path:
        return self.folder / "alignment.png"

    @property
    def scores_file(self) -> Path:
        return self.folder / "scores.txt"

    def corpus(self) -> Corpus:
        """The corpus of the run, unless it has changed."""
        corpus = corpus_of(self.file, self.config.seed)
        if corpus_hash(corpus) != self.sha256:
            whose = self.file or "the corpus that this version of Babel gives"
            raise BadInput(
                f"{whose} is not the one that the run {self.folder} began with"
            )
        return corpus


def corpus_of(file: str | None, seed: int) -> Corpus:
    """The pairs of a file in three parts, or those that come along.

    Args:
      file: its path, or None.
      seed: of the parts.
    """
    with blaming():
        if file is None:
            return written(seed=seed)
        return split_pairs(read_pairs(file), seed=seed)


def corpus_hash(corpus: Corpus) -> str:
    """The hash by which a corpus is recognised.

    Args:
      corpus: any.
    """
    return sha256("\n".join("\t".join(pair) for pair in corpus.pairs()))
