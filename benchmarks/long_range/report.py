"""The table, and whether what the papers claim was seen."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import median
from typing import NamedTuple

from benchmarks.long_range.training import Outcome
from benchmarks.machine import table

Found = dict[str, Outcome]

# From memory: none of these papers could be opened to check.
PAPERS = {
    ("adding", "lstm-1"): "Le 2015: solved",
    ("adding", "irnn"): "Le 2015: solved",
    ("adding", "tanh"): "Le 2015: not solved",
    ("adding", "orthogonal-slow"): "Arjovsky 2016, unitary: solved",
    ("copy", "unitary"): "Arjovsky 2016: solved",
    ("copy", "orthogonal"): "Henaff 2016, initialised so: solved",
    ("copy", "lstm-1"): "Arjovsky 2016: near the baseline",
    ("order", "tanh-normal+sgd"): "Pascanu 2013: fails",
    ("order", "tanh-normal+sgd+clip+omega"): "Pascanu 2013: all runs solve it",
    ("digits", "irnn-wide"): "Le 2015, MNIST: error 0.03",
    ("digits", "lstm-1"): "Le 2015, MNIST: error 0.35",
    ("permuted", "irnn-wide"): "Le 2015, MNIST: error 0.18",
}


class Claim(NamedTuple):
    """What shall be seen.

    Attributes:
      text: in words.
      experiments: the names of those that it is about.
      holds: whether they show it.
    """

    text: str
    experiments: tuple[str, ...]
    holds: Callable[..., bool]

    def seen(self, found: Found) -> bool | None:
        """Whether it was; None: not all of it was run."""
        if not set(self.experiments) <= found.keys():
            return None
        return self.holds(*(found[name] for name in self.experiments))


def solved(outcome: Outcome) -> int:
    """How many seeds solved the task."""
    return sum(at is not None for at in outcome.solved_at)


def all_solve(*outcomes: Outcome) -> bool:
    return all(solved(outcome) == len(outcome.seeds) for outcome in outcomes)


def most_solve(outcome: Outcome) -> bool:
    return 2 * solved(outcome) > len(outcome.seeds)


def none_leaves(outcome: Outcome, share: float = 0.9) -> bool:
    """Whether no seed got below so much of the baseline."""
    least = min(min(curve) for curve in outcome.curves)
    return least > share * outcome.task.baseline(outcome.experiment.steps)


def mostly_stays(outcome: Outcome, share: float = 0.9) -> bool:
    """Whether the median seed was above so much of the baseline for most updates."""
    bar = share * outcome.task.baseline(outcome.experiment.steps)
    middle = [median(measured) for measured in zip(*outcome.curves, strict=True)]
    left = next(
        (u for u, m in zip(outcome.updates, middle, strict=True) if m < bar), None
    )
    return left is None or left > outcome.experiment.recipe.updates / 2


def sooner(one: Outcome, other: Outcome) -> bool:
    """Whether the seeds of the one solve the task in fewer updates, in the mean.

    A seed that does not solve it counts as one that does at the last update.
    """
    mean = lambda o: sum(at or o.experiment.recipe.updates for at in o.solved_at)
    return mean(one) < mean(other)


def last(outcome: Outcome) -> float:
    """What was measured in the end, of the median seed."""
    return median(outcome.last)


def well_below(one: Outcome, other: Outcome) -> bool:
    """Whether the one's error is at most half of the other's."""
    return last(one) <= last(other) / 2


CLAIMS = (
    *(
        Claim(
            f"Adding, T = 200: {name} solves it, all seeds",
            (f"adding-200-{cell}",),
            all_solve,
        )
        for cell, name in (
            ("lstm-1", "LSTM"),
            ("gru", "GRU"),
            ("irnn", "IRNN"),
            ("orthogonal-slow", "orthogonal"),
        )
    ),
    Claim(
        "Adding, T = 200: plain tanh does not leave 0.167",
        ("adding-200-tanh",),
        none_leaves,
    ),
    Claim(
        "Adding, T = 200: forget bias 1 solves it before forget bias 0",
        ("adding-200-lstm-1", "adding-200-lstm-0"),
        sooner,
    ),
    Claim(
        "Copy, T = 100: unitary or orthogonal solves it, all seeds",
        ("copy-100-unitary", "copy-100-orthogonal"),
        lambda *both: any(map(all_solve, both)),
    ),
    Claim(
        "Copy, T = 100: LSTM is at the baseline for most of the budget",
        ("copy-100-lstm-1",),
        mostly_stays,
    ),
    Claim(
        "Temporal order, T = 100: SGD alone fails, all seeds",
        ("order-100-tanh-normal+sgd",),
        lambda outcome: solved(outcome) == 0,
    ),
    Claim(
        "Temporal order, T = 100: SGD with clipping and Omega solves it, most seeds",
        ("order-100-tanh-normal+sgd+clip+omega",),
        most_solve,
    ),
    *(
        Claim(
            f"{name}, T = 64: LSTM and GRU err in less than 5 %",
            (f"{task}-64-lstm-1", f"{task}-64-gru"),
            lambda *both: all(last(outcome) < 0.05 for outcome in both),
        )
        for task, name in (("digits", "Digits"), ("permuted", "Permuted digits"))
    ),
    *(
        Claim(
            f"{name}, T = {steps}: IRNN errs at most half as often as plain tanh",
            (f"{task}-{steps}-irnn-wide", f"{task}-{steps}-tanh"),
            well_below,
        )
        for task, steps, name in (
            ("digits", 64, "Digits"),
            ("digits", 256, "Digits"),
            ("permuted", 64, "Permuted digits"),
        )
    ),
)


def lines(found: Found) -> Iterator[str]:
    """The table, a line an experiment."""
    return table([*_cells(found.values())])


def judged(found: Found) -> Iterator[str]:
    """What was claimed, and whether it was seen."""
    words = {True: "yes", False: "no", None: "not run"}
    rows = [(claim.text, words[claim.seen(found)]) for claim in CLAIMS]
    return table([("claim", "seen"), *rows])


def _cells(outcomes: Iterable[Outcome]) -> Iterator[Sequence[str]]:
    yield (
        *("task, T", "cell", "H", "measured", "baseline", "median [least, most]"),
        *("solved", "after updates", "of", "seconds", "reported"),
    )
    for outcome in outcomes:
        (task, steps, learner, recipe), own = outcome.experiment, sorted(outcome.last)
        times = sorted(at for at in outcome.solved_at if at is not None)
        yield (
            f"{outcome.task.title}, {steps}",
            learner.replace("+", " + "),
            str(recipe.hidden),
            outcome.task.unit,
            f"{outcome.task.baseline(steps):.3f}",
            f"{median(own):.4f} [{own[0]:.4f}, {own[-1]:.4f}]",
            f"{len(times)} of {len(own)}",
            ", ".join(map(str, times)),
            str(recipe.updates),
            f"{outcome.seconds:.0f}",
            PAPERS.get((task, learner), ""),
        )
