"""The words of `jaxrnn translate`."""

import argparse
from typing import Any

# Options of `jaxrnn translate train` that describe the run, by their names in the
# settings.
TRANSLATOR_SETTINGS: dict[str, Any] = {
    "cell": str,
    "hidden_size": int,
    "embedding": int,
    "attention": str,
    "dropout": float,
    "batch_size": int,
    "buckets": int,
    "learning_rate": float,
    "warmup": int,
    "clip": float,
    "epochs": int,
    "seed": int,
}
_HELP = {
    "cell": "lstm, gru or elman",
    "hidden_size": "size of the decoder's state, and of the encoder's two together",
    "embedding": "size of a character's vector",
    "attention": "how the decoder looks at the source: general (Luong), additive "
    "(Bahdanau) or none",
    "dropout": "part of the decoder's outputs that a training step does without",
    "batch_size": "pairs of a training step",
    "buckets": "shapes that batches have at most",
    "learning_rate": "at its highest",
    "warmup": "steps until the learning rate is at its highest",
    "clip": "largest norm of a gradient",
    "epochs": "passes through the pairs",
    "seed": "of all randomness",
}
_TRAIN = "translate train"


def spoken(words: list[str]) -> list[str]:
    """The words of a command line, those of a command with two of them joined.

    Args:
      words: those after `jaxrnn`.

    Example:
      >>> spoken(["translate", "train", "--epochs=2"])
      ['translate train', '--epochs=2']
    """
    joined = " ".join(words[:2]) == _TRAIN
    return [_TRAIN, *words[2:]] if joined else words


def add_translate(commands: Any) -> None:
    """Add `translate` and `translate train` to the commands.

    Args:
      commands: what `add_subparsers` returned.
    """
    _add_training(commands)
    translate = commands.add_parser(
        "translate",
        help="translate a text; translate train: train a translator",
        description="Translate a text, and show what each character came from.",
    )
    add = translate.add_argument
    add("run", metavar="RUN", help="folder of a run; or train, to begin one")
    add("text", metavar="TEXT", nargs="?", help="what to translate")
    to = "write TEXT, a date, time, number or country in ISO form, in this language, "
    to += "such as ca; without it, TEXT is in any of them"
    add("--to", metavar="LANG", help=to)
    beam = "translations kept on the way (8); 1: the likeliest character each time"
    add("--beam", type=int, metavar="INT", help=beam)
    add("--nbest", type=int, metavar="INT", help="translations to print (1)")
    picture = "where to draw the alignment; without it, alignment.png in the run"
    add("--picture", metavar="FILE", help=picture)
    evaluate = "in place of a text: translate all tests of the run, and score them"
    add("--evaluate", action="store_true", help=evaluate)


def _add_training(commands: Any) -> None:
    train = commands.add_parser(
        _TRAIN,
        description="Train a translator of short texts, character by character, and "
        "write it and its scores to a folder.",
        argument_default=argparse.SUPPRESS,
    )
    pairs = "a source, a tab and a target a line, in UTF-8; without it, dates, times, "
    pairs += "numbers and countries in eight languages"
    train.add_argument("file", nargs="?", metavar="FILE.tsv", help=pairs)
    length = train.add_mutually_exclusive_group()
    for name, kind in TRANSLATOR_SETTINGS.items():
        place = length if name == "epochs" else train
        form = {"type": kind, "metavar": kind.__name__.upper()}
        place.add_argument("--" + name.replace("_", "-"), help=_HELP[name], **form)
    train.add_argument(
        "--no-attention",
        dest="attention",
        action="store_const",
        const="none",
        help="the same as --attention none",
    )
    minutes = "train so long, in place of epochs"
    length.add_argument("--minutes", type=float, metavar="FLOAT", help=minutes)
    folder = "folder to write to; without it, a new one in runs/"
    train.add_argument("--run", metavar="DIR", help=folder)
    resume = "go on with the run in this folder"
    train.add_argument("--resume", metavar="RUN", help=resume)
