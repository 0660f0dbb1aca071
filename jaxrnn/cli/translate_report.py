"""How well a translator does on what it never saw: tables of scores."""

from collections.abc import Callable, Iterator

from jaxrnn.cli.options import blaming
from jaxrnn.cli.translate_folder import TranslatorRun
from jaxrnn.data import Corpus, Pair
from jaxrnn.models.translating import translate
from jaxrnn.models.translation_scores import Score, length_group, score, scores_by
from jaxrnn.typing import PyTree

Outputs = dict[str, tuple[list[Pair], list[str]]]


def report(run: TranslatorRun, params: PyTree, corpus: Corpus) -> str:
    """Scores of all tests, by language and by the length of the source.

    Args:
      run: has the model and the vocabulary.
      params: of the model.
      corpus: has the tests.

    Returns:
      Two tables, of exact matches and chrF, both in percent.
    """
    outputs = {
        name: (pairs, _best(run, params, pairs))
        for name, pairs in corpus.tests.items()
        if pairs
    }
    with blaming():
        by_language = table("language", outputs, lambda pair: pair.language)
        by_length = table("length", outputs, length_group)
        heading = "exact match and chrF, %, the likeliest character each time"
        return "\n".join([heading, *by_language, "", *by_length])


def _best(run: TranslatorRun, params: PyTree, pairs: list[Pair]) -> list[str]:
    sources = [pair.source for pair in pairs]
    how = {"beam": 1, "longest": 2 * run.longest_target + 1}
    found = translate(run.model, params, run.vocabulary, sources, **how)
    return [first.text for first, *_ in found]


def table(
    heading: str, outputs: Outputs, group: Callable[[Pair], str]
) -> Iterator[str]:
    """Lines of a table: a row for each group of pairs and for all, a column a test.

    Args:
      heading: what the groups are.
      outputs: the pairs of each test, and their translations.
      group: from a pair to its group; "" is none.

    Example:
      >>> outputs = {"unseen": ([Pair("un", "one")], ["one"])}
      >>> print(*table("length", outputs, length_group), sep="\\n")
      length          unseen
       1-10     100.0  100.0
      all       100.0  100.0
    """
    tests = {name: scores_by(group, *own) for name, own in outputs.items()}
    groups = sorted({name for scores in tests.values() for name in scores} - {""})
    rows = [[heading, *tests]]
    rows += [
        [name, *(_cell(own.get(name)) for own in tests.values())] for name in groups
    ]
    rows += [["all", *(_cell(score(*own)) for own in outputs.values())]]
    first = max(len(row[0]) for row in rows)
    for row in rows:
        yield "  ".join([row[0].ljust(first), *(cell.rjust(14) for cell in row[1:])])


def _cell(score: Score | None) -> str:
    return "-" if score is None else f"{score.exact:5.1f}  {score.chrf:5.1f}"
