"""`jaxrnn translate`: a trained translator at work."""

import argparse
import sys
from pathlib import Path

from jaxrnn.attention import heat_map, heat_text
from jaxrnn.cli.folder import read_as
from jaxrnn.cli.options import BadInput, blaming
from jaxrnn.cli.translate_folder import TranslatorRun
from jaxrnn.cli.translate_report import report
from jaxrnn.data import LANGUAGES, asking, tidy
from jaxrnn.models.translating import Translation, translate
from jaxrnn.models.translator import END
from jaxrnn.typing import Array


def run_translate(options: argparse.Namespace) -> int:
    """Print translations and their alignment, or the scores of a run.

    Args:
      options: what the parser returned.

    Returns:
      The exit status.
    """
    if options.evaluate == (options.text is not None):
        raise BadInput("give a text to translate, or --evaluate")
    for name in ("to", "beam", "nbest", "picture") if options.evaluate else ():
        if getattr(options, name) is not None:
            raise BadInput(f"--{name} is for a text, and not for --evaluate")
    run = read_as(TranslatorRun, options.run)
    model, params = run.best()
    if options.evaluate:
        print(report(run, params, run.corpus()))
        return 0
    if options.picture and not run.attends:
        raise BadInput(f"--picture needs attention, and {run.folder} is without")
    source = _source(run, options)
    with blaming():
        [found] = translate(
            model,
            params,
            run.vocabulary,
            [source],
            beam=8 if options.beam is None else options.beam,
            nbest=1 if options.nbest is None else options.nbest,
        )
    _print(found)
    best = found[0]
    if best.alignment is not None:
        target = best.text + END * best.finished
        print("\n" + heat_text(best.alignment, source, target))
        _draw(run, options, best.alignment, source, target)
    return 0


def _draw(
    run: TranslatorRun, options: argparse.Namespace, alignment: Array, *texts: str
) -> None:
    """Draw the alignment; only a picture that was asked for may fail."""
    path = Path(options.picture or run.picture_file)
    try:
        with blaming(str(path)):
            heat_map(alignment, *texts).savefig(path)
    except BadInput as error:
        if options.picture:
            raise
        print(f"jaxrnn: note: no picture: {error}", file=sys.stderr)
    else:
        print(f"\nthe alignment is drawn in {path}")


def _source(run: TranslatorRun, options: argparse.Namespace) -> str:
    """What the model reads, once it is clear that it can."""
    text = tidy(options.text)
    if not text:
        raise BadInput("TEXT must not be empty")
    if options.to is not None:
        if run.file is not None:
            raise BadInput(f"--to is not for {run.folder}: its pairs are from a file")
        if options.to not in LANGUAGES:
            known = ", ".join(LANGUAGES)
            raise BadInput(f"--to must be one of {known}, got {options.to!r}")
        with blaming():
            run.vocabulary.encode(text)  # positions are those of what was typed
        text = asking(options.to, text)
    if len(text) > run.longest_source:
        print(
            f"jaxrnn: note: {len(text)} characters, and the longest source trained on "
            f"had {run.longest_source}",
            file=sys.stderr,
        )
    return text


def _print(found: list[Translation]) -> None:
    best, *others = found
    print(best.text if best.finished else f"{best.text}... (it did not end)")
    if others:
        print("\nlog p")
        for each in found:
            print(f"{each.score:6.2f}  {each.text}")
