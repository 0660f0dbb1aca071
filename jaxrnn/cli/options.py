"""The words of the command line, and how it says that something is wrong."""

import argparse
import contextlib
from collections.abc import Iterator
from typing import Any, NoReturn

from jaxrnn.cli.convert_options import add_convert
from jaxrnn.cli.translate_options import add_translate

# Options of `jaxrnn train` that describe the run, by their names in the settings.
SETTINGS: dict[str, Any] = {
    "cell": str,
    "hidden_size": int,
    "layers": int,
    "embedding": int,
    "dropout": float,
    "variational_dropout": float,
    "weight_drop": float,
    "residual": bool,
    "window": int,
    "batch_size": int,
    "learning_rate": float,
    "schedule": str,
    "warmup": int,
    "decay": float,
    "decay_after": int,
    "clip": float,
    "clip_by": str,
    "l2": float,
    "ar": float,
    "tar": float,
    "skip_nonfinite": bool,
    "epochs": int,
    "seed": int,
}
_HELP = {
    "cell": "lstm, gru or elman",
    "hidden_size": "size of each layer's state",
    "layers": "recurrent layers",
    "embedding": "size of a character's vector; 0: one-hot vectors",
    "dropout": "part of each layer's outputs that a training step does without",
    "variational_dropout": "part of each layer's inputs and states that all steps of a "
    "window do without",
    "weight_drop": "part of the recurrent weights that a window does without",
    "residual": "add the inputs of a layer to its outputs, where their sizes agree",
    "window": "steps that gradients go back",
    "batch_size": "streams that the text is cut into",
    "learning_rate": "at its highest",
    "schedule": "of the learning rate: cosine (to 0), constant, step (constant, then "
    "smaller in each epoch) or plateau (smaller where the training loss stands still)",
    "warmup": "steps until the learning rate is at its highest",
    "decay": "factor of the schedules step and plateau",
    "decay_after": "constant epochs of the schedule step",
    "clip": "largest norm, or value, of a gradient",
    "clip_by": "what is clipped: norm (of all gradients), block (the norm of each "
    "layer's), leaf (of each array's) or value (of each element)",
    "l2": "rate of the penalty on the squares of weights",
    "ar": "factor of the penalty on large states",
    "tar": "factor of the penalty on states that change",
    "skip_nonfinite": "leave out steps whose loss or gradient is not finite, in place "
    "of stopping there",
    "epochs": "passes through the text",
    "seed": "of all randomness",
}


class BadInput(Exception):
    """Something that the user gave is wrong; the message is one line."""


@contextlib.contextmanager
def blaming(what: str = "") -> Iterator[None]:
    """Errors raised within are the user's to mend: one line, what was wrong first.

    Args:
      what: what the errors are about; "" where they say so themselves.
    """
    try:
        yield
    except OSError as error:
        message = f"{error.filename or what}: {error.strerror or error}"
        raise BadInput(message) from error
    except (ValueError, TypeError, ImportError) as error:
        message = "; ".join(line.strip() for line in str(error).splitlines())
        raise BadInput(f"{what}: {message}" if what else message) from error


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message} (see {self.prog} --help)")


def parser() -> argparse.ArgumentParser:
    """The parser; what it returns holds the chosen command's name as `command`."""
    top = _Parser(
        prog="jaxrnn", description="Character models, trained and put to work."
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_train(commands)
    _add_sample(commands)
    add_translate(commands)
    add_convert(commands)
    return top


def _add_train(commands: Any) -> None:
    train = commands.add_parser(
        "train",
        help="train a model on a text",
        description="Train a character language model with truncated backpropagation "
        "through time, and write it, its scores and samples to a folder.",
        argument_default=argparse.SUPPRESS,
    )
    text = "UTF-8 text; without it, CPython's own documentation"
    train.add_argument("file", nargs="?", metavar="FILE", help=text)
    train.add_argument(
        "--preset", choices=["min-char-rnn"], help="settings to start from"
    )
    length = train.add_mutually_exclusive_group()
    for name, kind in SETTINGS.items():
        place = length if name == "epochs" else train
        form = {"type": kind, "metavar": kind.__name__.upper()}
        form = {"action": "store_true"} if kind is bool else form
        place.add_argument("--" + name.replace("_", "-"), help=_HELP[name], **form)
    length.add_argument(
        "--minutes",
        type=float,
        metavar="FLOAT",
        help="train so long, in place of epochs",
    )
    train.add_argument(
        "--run",
        metavar="DIR",
        help="folder to write to; without it, a new one in runs/",
    )
    train.add_argument(
        "--resume", metavar="RUN", help="go on with the run in this folder"
    )
    _add_looks(train)


def _add_looks(train: Any) -> None:
    train.add_argument(
        "--profile",
        action="store_true",
        default=False,
        help="measure the machine's matrix products, and the share training reached",
    )
    train.add_argument(
        "--gradflow",
        action="store_true",
        default=False,
        help="look at how gradients flow every 100 steps: gradflow.jsonl, and a page "
        "of pictures at the end, gradflow.png",
    )


def _add_sample(commands: Any) -> None:
    draw = commands.add_parser(
        "sample",
        help="let a trained model write",
        description="Print text that a trained model draws, as it is drawn.",
    )
    draw.add_argument("run", metavar="RUN", help="folder of a run")
    draw.add_argument("--prime", default="", metavar="TEXT", help="text to go on from")
    draw.add_argument(
        "--temperature",
        type=float,
        default=0.8,
        metavar="FLOAT",
        help="0: always the likeliest character",
    )
    draw.add_argument(
        "--length", type=int, default=500, metavar="INT", help="characters to draw"
    )
    draw.add_argument("--seed", type=int, default=0, metavar="INT", help="of the draw")
