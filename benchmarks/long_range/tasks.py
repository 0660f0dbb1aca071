"""The tasks: what is read, what is answered, and when a task counts as solved.

Whatever is measured is better the lower it is.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxrnn as jr
from jaxrnn.data import Examples

TESTED = 500
TEST_SEED = 2**31  # no experiment's
Draw = Callable[[int, int, Any], Examples]
Parts = Callable[[int], tuple[Examples, Examples]]  # of T, to train and to test


class Task(NamedTuple):
    """A task.

    Attributes:
      title: what it is.
      unit: what is measured.
      lengths: its T, the first one by default.
      read: the size of an input; None: it is one of `symbols`.
      symbols: how many there are.
      answers: the size of an output.
      loss: of outputs `[T, B, answers]` and targets, to be trained with.
      measure: the same, to be judged by.
      draw: `(T, rows, seed)` to examples to train on.
      test: T to examples to judge by.
      fresh: whether every example is a new one, so that a run may end when it has
        solved the task, and not be chosen by what it is judged by.
      baseline: T to what is measured of who remembers nothing.
      solved: T to what is measured, at the most, of who solves it.
    """

    title: str
    unit: str
    lengths: tuple[int, ...]
    read: int | None
    symbols: int
    answers: int
    loss: Callable[[jax.Array, jax.Array], jax.Array]
    measure: Callable[[jax.Array, jax.Array], jax.Array]
    draw: Draw
    test: Callable[[int], Examples]
    fresh: bool
    baseline: Callable[[int], float]
    solved: Callable[[int], float]

    def model(self, cell: jr.Cell) -> jr.Stack:
        """The cell between the task's inputs and its answers."""
        reading = [] if self.read else [jr.OneHot(self.symbols)]
        return jr.Stack(*reading, cell, jr.Dense(self.answers))


def last_error(ys: jax.Array, targets: jax.Array) -> jax.Array:
    """The squared error of the last answer."""
    return jnp.mean(jr.squared_error(ys[-1], targets))


def every_surprise(ys: jax.Array, targets: jax.Array) -> jax.Array:
    """The cross-entropy of every answer."""
    return jnp.mean(jr.cross_entropy(ys, targets))


def last_surprise(ys: jax.Array, targets: jax.Array) -> jax.Array:
    """The cross-entropy of the last answer."""
    return every_surprise(ys[-1], targets)


def last_wrong(ys: jax.Array, targets: jax.Array) -> jax.Array:
    """The share of last answers that are wrong; NaN where they are no numbers."""
    wrong = (jnp.argmax(ys[-1], axis=-1) != targets).astype(jnp.float32)
    return jnp.mean(jnp.where(jnp.isnan(ys[-1]).any(axis=-1), jnp.nan, wrong))


def generated(draw: Callable[..., Examples]) -> dict[str, Any]:
    """To train and to test on, where every example is a new one."""
    return {
        "draw": lambda steps, rows, seed: draw(steps, rows, seed=seed),
        "test": lambda steps: draw(steps, TESTED, seed=TEST_SEED),
        "fresh": True,
    }


def given(parts: Parts) -> dict[str, Any]:
    """To train and to test on, where examples are given."""
    parts = functools.cache(parts)

    def draw(steps: int, rows: int, seed: Any) -> Examples:
        train, _ = parts(steps)
        chosen = np.random.default_rng(seed).integers(len(train.targets), size=rows)
        return Examples(train.xs[:, chosen], train.targets[chosen])

    return {"draw": draw, "test": lambda steps: parts(steps)[1], "fresh": False}


def digits(steps: int, *, permuted: bool = False) -> tuple[Examples, Examples]:
    """Images of T pixels."""
    enlarged = math.isqrt(steps // 64)
    if steps != 64 * enlarged**2:
        raise ValueError(f"digits have 64 steps, 256, 576 ..., got {steps}")
    return jr.data.digits(permuted=permuted, enlarged=enlarged)


DIGITS: dict[str, Parts] = {
    "digits": digits,
    "permuted": functools.partial(digits, permuted=True),
}


_CLASSES: dict[str, Any] = {
    "unit": "error",
    "loss": last_surprise,
    "measure": last_wrong,
}
_PIXELS: dict[str, Any] = {"read": 1, "symbols": 0, "answers": 10, **_CLASSES}
_PIXELS |= {"baseline": lambda steps: 0.9, "solved": lambda steps: 0.05}

TASKS = {
    "adding": Task(
        title="adding",
        unit="squared error",
        lengths=(200, 100, 300, 400),
        read=2,
        symbols=0,
        answers=1,
        loss=last_error,
        measure=last_error,
        baseline=lambda steps: 1 / 6,
        solved=lambda steps: 0.01,
        **generated(jr.data.adding),
    ),
    "copy": Task(
        title="copy memory",
        unit="cross-entropy",
        lengths=(100, 200, 500),
        read=None,
        symbols=10,
        answers=9,
        loss=every_surprise,
        measure=every_surprise,
        baseline=jr.data.copy_baseline,
        solved=lambda steps: jr.data.copy_baseline(steps) / 10,
        **generated(jr.data.copy_memory),
    ),
    "order": Task(
        title="temporal order",
        lengths=(100, 50, 150, 200),
        read=None,
        symbols=6,
        answers=4,
        baseline=lambda steps: 0.75,
        solved=lambda steps: 0.01,
        **_CLASSES,
        **generated(jr.data.temporal_order),
    ),
    **{
        name: Task(title=title, lengths=(64, 256), **_PIXELS, **given(DIGITS[name]))
        for name, title in (
            ("digits", "digits by pixels"),
            ("permuted", "permuted digits"),
        )
    },
}


def mnist_tasks(path: str) -> dict[str, Task]:
    """The same digits in more pixels, from files that the user has."""
    read = lambda permuted: given(lambda _: jr.data.mnist(path, permuted=permuted))
    plain, permuted = read(False), read(True)
    return {
        "mnist": Task(title="MNIST by pixels", lengths=(784,), **_PIXELS, **plain),
        "permuted-mnist": Task(
            title="permuted MNIST", lengths=(784,), **_PIXELS, **permuted
        ),
    }


def held_out_tasks() -> dict[str, Task]:
    """The digits, judged by a fifth of those to train on.

    A setting that is chosen by these is not chosen by what judges it in the end.
    """
    return {
        name: TASKS[name]._replace(**given(held_out(parts)))
        for name, parts in DIGITS.items()
    }


def held_out(parts: Parts) -> Parts:
    """The examples to train on, in two parts."""

    def own(steps: int) -> tuple[Examples, Examples]:
        (xs, targets), _ = parts(steps)
        tested = len(targets) // 5
        part = lambda rows: Examples(xs[:, rows], targets[rows])
        return part(slice(tested, None)), part(slice(tested))

    return own
