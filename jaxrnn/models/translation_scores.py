"""How good translations are."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, TypeVar

from jaxrnn.data import Pair

Group = TypeVar("Group", bound=Hashable)


class Score(NamedTuple):
    """How near translations come to the true ones.

    Attributes:
      exact: the part of them that is right to the letter, in percent.
      chrf: chrF (Popovic 2015) of all of them together: the F-score of runs of one to
        six characters, recall weighing twice as much, in percent.
      pairs: their number.
    """

    exact: float
    chrf: float
    pairs: int


def score(pairs: Sequence[Pair], texts: Sequence[str]) -> Score:
    """Scores translations.

    Args:
      pairs: at least one.
      texts: the translation of each source.

    Raises:
      ValueError: there are none, or not as many.
      ImportError: sacreBLEU, which computes chrF, is not installed.

    References:
      Popovic 2015, chrF; Post 2018, sacreBLEU.

    Example:
      >>> found = score([Pair("un", "one"), Pair("dos", "two")], ["one", "too"])
      >>> found.exact, found.chrf < 100
      (50.0, True)
    """
    corpus_chrf = chrf()
    if not pairs or len(pairs) != len(texts):
        raise ValueError(
            f"`texts` must be as many as `pairs`, {len(pairs)}, and at least one, "
            f"got {len(texts)}"
        )
    true = [pair.target for pair in pairs]
    right = sum(a == b for a, b in zip(true, texts, strict=True))
    return Score(
        100 * right / len(pairs), corpus_chrf([*texts], [true]).score, len(pairs)
    )


def chrf() -> Callable[..., Any]:
    """The function of sacreBLEU that computes chrF.

    Raises:
      ImportError: it is not installed.
    """
    try:
        from sacrebleu import corpus_chrf
    except ImportError as error:
        raise ImportError(
            "chrF comes from sacreBLEU: pip install 'jaxrnn[translate]'"
        ) from error
    return corpus_chrf


def scores_by(
    group: Callable[[Pair], Group], pairs: Sequence[Pair], texts: Sequence[str]
) -> dict[Group, Score]:
    """Scores translations group by group, the groups in ascending order.

    Args:
      group: from a pair to its group, such as its language.
      pairs: at least one.
      texts: the translation of each source.

    Example:
      >>> pairs = [Pair("un", "one", language="ca"), Pair("ein", "one", language="de")]
      >>> found = scores_by(lambda pair: pair.language, pairs, ["one", "on"])
      >>> {language: score.exact for language, score in found.items()}
      {'ca': 100.0, 'de': 0.0}
    """
    groups: dict[Group, list[tuple[Pair, str]]] = {}
    for pair, text in zip(pairs, texts, strict=True):
        groups.setdefault(group(pair), []).append((pair, text))
    return {
        name: score(*map(list, zip(*groups[name], strict=True)))  # type: ignore[arg-type]
        for name in sorted(groups)  # type: ignore[type-var]
    }


def length_group(pair: Pair) -> str:
    """The length of a source, in tens of characters.

    Args:
      pair: any.

    Example:
      >>> [length_group(Pair(n * "a", "")) for n in (1, 10, 11, 25, 90)]
      [' 1-10', ' 1-10', '11-20', '21-30', '41 and more']
    """
    tens = (len(pair.source) - 1) // 10
    return f"{10 * tens + 1:2}-{10 * tens + 10}" if tens < 4 else "41 and more"
