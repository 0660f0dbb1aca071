"""What attention is worth: translators with and without it, over the source's length.

    python -m benchmarks.translation [--epochs N] [--hidden-size H]

Each is trained by `jaxrnn translate train` on the same pairs, for as many updates, and
then translates days that nobody trained on, greedily.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

import jax

from benchmarks.machine import describe, record, table, versions
from jaxrnn.cli.memory import keep_freed_memory
from jaxrnn.cli.options import parser
from jaxrnn.cli.translate_start import started
from jaxrnn.cli.translate_train import train
from jaxrnn.data import Corpus, Pair
from jaxrnn.models.translating import translate
from jaxrnn.models.translation_scores import Score, length_group, score, scores_by

ATTENTIONS = ("general", "additive", "none")
TESTS = ("dates", "years", "moments")


class Outcome(NamedTuple):
    """What a translator came to.

    Attributes:
      scores: by the length of the source, and of all of them.
      parameters: their number.
      updates: of the parameters.
      seconds: of training, compilation and validation included.
    """

    scores: dict[str, Score]
    parameters: int
    updates: int
    seconds: float


def outcome(attention: str, words: Sequence[str], folder: str) -> Outcome:
    """Train a translator, and judge it."""
    place = ["--attention", attention, "--run", f"{folder}/{attention}"]
    run, corpus = started(parser().parse_args(["translate train", *place, *words]))
    began = time.monotonic()
    params = train(run, corpus).best
    seconds = time.monotonic() - began
    pairs = unseen(corpus)
    sources = [pair.source for pair in pairs]
    how = {"beam": 1, "longest": 2 * run.longest_target}
    found = translate(run.model, params, run.vocabulary, sources, **how)
    texts = [first.text for first, *_ in found]
    scores = scores_by(length_group, pairs, texts) | {"all": score(pairs, texts)}
    return Outcome(scores, size_of(params), run.total, seconds)


def unseen(corpus: Corpus) -> list[Pair]:
    """The pairs whose days nobody trained on, in forms that somebody did."""
    return [pair for test in TESTS for pair in corpus.tests[test]]


def size_of(params: object) -> int:
    """The number of parameters."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def lines(found: dict[str, Outcome]) -> list[str]:
    """A table: a row for each length, a column for each translator."""
    groups = list(next(iter(found.values())).scores)
    heading = ["characters", "pairs", *(f"{name}: exact, chrF" for name in found)]
    rows = [heading]
    for group in groups:
        own = [outcome.scores[group] for outcome in found.values()]
        told = [f"{each.exact:.1f}  {each.chrf:.1f}" for each in own]
        rows.append([group, f"{own[0].pairs:,}", *told])
    for name in ("parameters", "updates", "seconds"):
        numbers = [f"{getattr(each, name):,.0f}" for each in found.values()]
        rows.append([name, "", *numbers])
    return [*table(rows)]


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.translation")
    add = arguments.add_argument
    add("--epochs", default="8", help="passes through the pairs")
    add("--hidden-size", default="128", help="of each translator")
    add("--attention", nargs="+", choices=ATTENTIONS, default=["general", "none"])
    add("--runs", metavar="DIR", help="where to keep the runs; without it, nowhere")
    add("--json", metavar="PATH", default="benchmarks-out/translation.json")
    args = arguments.parse_args()
    keep_freed_memory()
    print(describe())
    words = ["--epochs", args.epochs, "--hidden-size", args.hidden_size]
    found = {}
    with tempfile.TemporaryDirectory() as nowhere:
        for attention in args.attention:
            print(f"\nattention: {attention}")
            found[attention] = outcome(attention, words, args.runs or nowhere)
    print("\nexact match and chrF, %, of days that nobody trained on")
    print(*lines(found), sep="\n")
    about = versions("jaxlib", "jaxrnn", "babel", "sacrebleu")
    told = {name: each._asdict() for name, each in found.items()}
    record(args.json, versions=about, found=told)
    print(f"\nwritten: {args.json}")


if __name__ == "__main__":
    main()
