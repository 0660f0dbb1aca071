"""What is run: a task, its length, a cell, and how it is trained."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import optax

import jaxrnn as jr
from benchmarks.long_range.tasks import TASKS
from jaxrnn.initializers import LecunNormal, Uniform


def plain_tanh(hidden_size: int) -> jr.Elman:
    """A tanh network that starts as PyTorch's: all from U(-1/sqrt(H), 1/sqrt(H))."""
    uniform = Uniform(hidden_size**-0.5)
    return jr.Elman(hidden_size, kernel_init=uniform, recurrent_init=uniform)


CELLS: dict[str, Callable[[int], jr.Cell]] = {
    "tanh": plain_tanh,
    "tanh-normal": lambda hidden_size: jr.Elman(
        hidden_size, recurrent_init=LecunNormal()
    ),
    "irnn": jr.IRNN,
    "orthogonal": jr.OrthogonalRNN,
    "unitary": jr.UnitaryRNN,
    "lstm-0": lambda hidden_size: jr.LSTM(hidden_size, forget_bias=0.0),
    "lstm-1": lambda hidden_size: jr.LSTM(hidden_size, forget_bias=1.0),
    "gru": jr.GRU,
    "mut1": jr.MUT1,
    "mut2": jr.MUT2,
    "mut3": jr.MUT3,
    "mingru": jr.MinGRU,
}


class Recipe(NamedTuple):
    """How a cell is trained.

    Attributes:
      hidden: the cell's size.
      optimizer: "adam" or "sgd".
      rate: the learning rate.
      decay: whether the rate falls to 0 at the last update, as a cosine does.
      clip: the largest norm of a gradient; None: any.
      omega: what Pascanu's regulariser is weighted with.
      batch: sequences an update.
      updates: at the most.
      every: updates between two tests.
    """

    hidden: int = 64
    optimizer: str = "adam"
    rate: float = 1e-3
    decay: bool = False
    clip: float | None = 1.0
    omega: float = 0.0
    batch: int = 32
    updates: int = 2000
    every: int = 100

    def transformation(self) -> optax.GradientTransformation:
        """The optimizer, behind the clipping."""
        rate: Any = self.rate
        if self.decay:
            rate = optax.cosine_decay_schedule(rate, self.updates)
        optimizer = {"adam": optax.adam, "sgd": optax.sgd}[self.optimizer](rate)
        if self.clip is None:
            return optimizer
        return optax.chain(jr.training.clip(self.clip), optimizer)


class Experiment(NamedTuple):
    """One line of the table.

    Attributes:
      task: its name in `TASKS`.
      steps: T.
      learner: a name in `CELLS`, perhaps with "+" and a way to train it.
      recipe: how.
    """

    task: str
    steps: int
    learner: str
    recipe: Recipe

    @property
    def name(self) -> str:
        return f"{self.task}-{self.steps}-{self.learner}"

    @property
    def cell(self) -> jr.Cell:
        return CELLS[self.learner.split("+")[0]](self.recipe.hidden)


# What differs from a Recipe's defaults, by task, and there by cell.
BY_TASK: dict[str, dict[str, Any]] = {
    "adding": {"rate": 3e-3},
    "copy": {"rate": 1e-3, "batch": 20, "updates": 1000, "every": 50},
    "order": {"hidden": 50, "batch": 20, "updates": 14_000, "every": 200},
    "digits": {"rate": 5e-3, "decay": True, "updates": 2500},
    "permuted": {"rate": 5e-3, "decay": True, "updates": 2500},
    "mnist": {"decay": True, "updates": 20_000, "every": 500},
    "permuted-mnist": {"decay": True, "updates": 20_000, "every": 500},
}
BY_LEARNER: dict[tuple[str, str], dict[str, Any]] = {
    ("copy", "orthogonal"): {"hidden": 128, "rate": 3e-4},
    ("copy", "unitary"): {"rate": 2e-3},
    ("adding", "gru"): {"every": 50, "updates": 1000},
    ("adding", "lstm-1"): {"rate": 5e-3, "batch": 20, "updates": 1500},
    ("adding", "lstm-0"): {"rate": 5e-3, "batch": 20, "updates": 1500},
    ("adding", "irnn"): {"rate": 1e-4, "updates": 10_000, "every": 200},
    ("adding", "orthogonal"): {"rate": 2e-3, "updates": 3000},
    ("adding", "tanh"): {"rate": 1e-3, "updates": 3000, "every": 200},
    ("digits", "irnn"): {"hidden": 100, "rate": 2e-4, "updates": 6000, "every": 500},
    ("digits", "tanh"): {"hidden": 100, "rate": 1e-3, "updates": 6000, "every": 500},
    ("permuted", "irnn"): {"hidden": 100, "rate": 1e-4, "updates": 3000, "every": 500},
    ("permuted", "tanh"): {"hidden": 100, "rate": 1e-3, "updates": 3000, "every": 500},
}
SGD: dict[str, Any] = {"optimizer": "sgd", "rate": 0.02, "decay": True, "clip": None}
WAYS: dict[str, dict[str, Any]] = {
    "sgd": SGD,
    "sgd+clip": SGD | {"clip": 1.0},
    "sgd+clip+omega": SGD | {"clip": 1.0, "omega": 0.5},
}

CLAIMED = {
    "copy": ("orthogonal", "unitary", "lstm-1"),
    "order": tuple(f"tanh-normal+{way}" for way in WAYS),
    "adding": ("lstm-1", "lstm-0", "gru", "tanh", "irnn", "orthogonal"),
    "digits": ("lstm-1", "gru", "irnn", "tanh"),
    "permuted": ("lstm-1", "gru", "irnn", "tanh"),
}


def experiment(task: str, steps: int, learner: str) -> Experiment:
    """A task with a learner, trained as the tables above say."""
    _, _, way = learner.partition("+")
    changes = BY_TASK[task] | BY_LEARNER.get((task, learner), {}) | WAYS.get(way, {})
    return Experiment(task, steps, learner, Recipe(**changes))


def claimed() -> Iterator[Experiment]:
    """What the claims are about, each task at its own first length."""
    for task, learners in CLAIMED.items():
        for learner in learners:
            yield experiment(task, TASKS[task].lengths[0], learner)


def crossed(
    tasks: Iterable[str],
    lengths: Iterable[int] | None = None,
    learners: Iterable[str] | None = None,
) -> Iterator[Experiment]:
    """All that is asked for; None: a task's first length, all its learners."""
    for task in tasks:
        own = dict.fromkeys([*CLAIMED.get(task, ()), *CELLS])
        for steps in lengths or TASKS[task].lengths[:1]:
            for learner in learners or own:
                yield experiment(task, steps, learner)


def quick() -> Iterator[Experiment]:
    """Every task, learner and way once, too short to learn anything."""
    others = ("mut1", "mut2", "mut3", "mingru")
    for task, learners in (CLAIMED | {"permuted": others}).items():
        steps = 64 if task in ("digits", "permuted") else 20
        for learner in learners:
            short = {"hidden": 8, "batch": 4, "updates": 20, "every": 10}
            one = experiment(task, steps, learner)
            yield one._replace(recipe=one.recipe._replace(**short))
