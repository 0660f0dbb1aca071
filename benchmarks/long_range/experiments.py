"""What is run: a task, its length, a cell, and how it is trained."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import jax
import optax

import jaxrnn as jr
from benchmarks.long_range.tasks import TASKS
from jaxrnn.initializers import LecunNormal, Normal, Rotations, Uniform


def plain_tanh(hidden_size: int) -> jr.Elman:
    """A tanh network that starts as PyTorch's: all from U(-1/sqrt(H), 1/sqrt(H))."""
    uniform = Uniform(hidden_size**-0.5)
    return jr.Elman(hidden_size, kernel_init=uniform, recurrent_init=uniform)


CELLS: dict[str, Callable[[int], jr.Cell]] = {
    "tanh": plain_tanh,
    "tanh-normal": lambda hidden_size: jr.Elman(
        hidden_size, recurrent_init=LecunNormal()
    ),
    "irnn": lambda hidden_size: jr.IRNN(hidden_size, kernel_init=Normal(0.03)),
    "irnn-wide": lambda hidden_size: jr.IRNN(hidden_size, kernel_init=Normal(1.0)),
    "orthogonal": jr.OrthogonalRNN,
    "orthogonal-slow": lambda hidden_size: jr.OrthogonalRNN(
        hidden_size, recurrent_init=Rotations()
    ),
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
      recurrent_rate: that of what the state is multiplied with; None: the same.
      decay: whether they fall to 0 at the last update, as a cosine does.
      clip: the largest norm of a gradient; None: any.
      omega: what Pascanu's regulariser is weighted with.
      noise: the standard deviation of what is added to inputs, in training alone.
      batch: sequences an update.
      updates: at the most.
      every: updates between two tests.
    """

    hidden: int = 64
    optimizer: str = "adam"
    rate: float = 1e-3
    recurrent_rate: float | None = None
    decay: bool = False
    clip: float | None = 1.0
    omega: float = 0.0
    noise: float = 0.0
    batch: int = 32
    updates: int = 2000
    every: int = 100

    def transformation(self) -> optax.GradientTransformation:
        """The optimizer, behind the clipping."""
        optimizer = self._at(self.rate)
        if self.recurrent_rate is not None:
            each = {True: self._at(self.recurrent_rate), False: optimizer}
            optimizer = optax.multi_transform(each, of_state)
        if self.clip is None:
            return optimizer
        return optax.chain(jr.training.clip(self.clip), optimizer)

    def _at(self, rate: Any) -> optax.GradientTransformation:
        """The optimizer at a learning rate."""
        if self.decay:
            rate = optax.cosine_decay_schedule(rate, self.updates)
        return {"adam": optax.adam, "sgd": optax.sgd}[self.optimizer](rate)


def of_state(params: Any) -> Any:
    """Of each parameter, whether it makes what the state is multiplied with."""
    made = ("recurrent_kernel", "skew_kernel")
    return jax.tree.map_with_path(lambda path, _: path[-1].key in made, params)


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
_DIGITS = {"hidden": 128, "rate": 3e-3, "decay": True, "every": 250}
_MNIST = {"decay": True, "updates": 20_000, "every": 500}
BY_TASK: dict[str, dict[str, Any]] = {
    "adding": {"rate": 3e-3},
    "copy": {"rate": 1e-3, "batch": 20, "updates": 1000, "every": 50},
    "order": {"hidden": 50, "batch": 20, "updates": 14_000, "every": 200},
    "digits": _DIGITS | {"updates": 4000},
    "permuted": _DIGITS | {"updates": 5000, "noise": 0.2},
    "mnist": _MNIST,
    "permuted-mnist": _MNIST,
}
_SLOW = {"rate": 5e-3, "recurrent_rate": 5e-4, "decay": True, "updates": 6000}
BY_LEARNER: dict[tuple[str, str], dict[str, Any]] = {
    ("copy", "orthogonal"): {"hidden": 128, "rate": 3e-4},
    ("copy", "unitary"): {"rate": 2e-3},
    ("adding", "gru"): {"every": 50, "updates": 1000},
    ("adding", "lstm-1"): {"rate": 5e-3, "batch": 20, "updates": 1500},
    ("adding", "lstm-0"): {"rate": 5e-3, "batch": 20, "updates": 1500},
    ("adding", "irnn"): {"rate": 3e-4, "updates": 4000},
    ("adding", "orthogonal-slow"): _SLOW,
    ("adding", "tanh"): {"rate": 1e-3, "updates": 3000, "every": 200},
    ("digits", "lstm-1"): {"hidden": 64, "rate": 5e-3, "updates": 2500},
    ("digits", "gru"): {"hidden": 64, "rate": 5e-3, "updates": 2500},
    ("digits", "irnn-wide"): {"hidden": 100, "rate": 7e-4},
    ("digits", "tanh"): {"hidden": 100, "rate": 1e-3},
    ("permuted", "irnn-wide"): {"hidden": 100, "rate": 1e-3},
    ("permuted", "tanh"): {"hidden": 100, "rate": 1e-3},
}
SGD: dict[str, Any] = {"optimizer": "sgd", "rate": 0.02, "decay": True, "clip": None}
WAYS: dict[str, dict[str, Any]] = {
    "sgd": SGD,
    "sgd+clip": SGD | {"clip": 1.0},
    "sgd+clip+omega": SGD | {"clip": 1.0, "omega": 0.5},
}

# Of each task, at each length, the learners that a claim is about.
CLAIMED: dict[tuple[str, int], tuple[str, ...]] = {
    ("copy", 100): ("orthogonal", "unitary", "lstm-1"),
    ("order", 100): tuple(f"tanh-normal+{way}" for way in WAYS),
    ("adding", 200): ("lstm-1", "lstm-0", "gru", "tanh", "irnn", "orthogonal-slow"),
    ("digits", 64): ("lstm-1", "gru", "irnn-wide", "tanh"),
    ("digits", 256): ("irnn-wide", "tanh"),
    ("permuted", 64): ("lstm-1", "gru", "irnn-wide", "tanh"),
}


def experiment(task: str, steps: int, learner: str) -> Experiment:
    """A task with a learner, trained as the tables above say."""
    _, _, way = learner.partition("+")
    changes = BY_TASK[task] | BY_LEARNER.get((task, learner), {}) | WAYS.get(way, {})
    return Experiment(task, steps, learner, Recipe(**changes))


def claimed(tasks: Iterable[str]) -> Iterator[Experiment]:
    """What the claims about these tasks are about."""
    for (task, steps), learners in CLAIMED.items():
        if task in tasks:
            for learner in learners:
                yield experiment(task, steps, learner)


def learners_of(task: str) -> tuple[str, ...]:
    """Those that a claim is about, and all cells."""
    own = (each for (name, _), each in CLAIMED.items() if name == task)
    return tuple(dict.fromkeys([*itertools.chain(*own), *CELLS]))


def crossed(
    tasks: Iterable[str],
    lengths: Iterable[int] | None = None,
    learners: Iterable[str] | None = None,
) -> Iterator[Experiment]:
    """All that is asked for; None: a task's first length, all its learners."""
    for task in tasks:
        for steps in lengths or TASKS[task].lengths[:1]:
            for learner in learners or learners_of(task):
                yield experiment(task, steps, learner)


def quick() -> Iterator[Experiment]:
    """Every task, learner and way once, too short to learn anything."""
    given, others = ("digits", "permuted"), ("irnn", "mut1", "mut2", "mut3", "mingru")
    short = {"hidden": 8, "batch": 4, "updates": 20, "every": 10}
    for (task, steps), learners in (CLAIMED | {("permuted", 64): others}).items():
        for learner in learners if steps < 256 else ():
            one = experiment(task, steps if task in given else 20, learner)
            yield one._replace(recipe=one.recipe._replace(**short))
