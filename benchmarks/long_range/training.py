"""An experiment: all its seeds side by side, trained until all have solved the task."""

import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxrnn as jr
from benchmarks.long_range.experiments import Experiment
from benchmarks.long_range.tasks import TASKS, Task


class Outcome(NamedTuple):
    """What an experiment came to.

    Attributes:
      experiment: which.
      seeds: of its runs.
      updates: at which it was tested, the first time before any.
      curves: what was measured then, a list a seed.
      seconds: that it took, compilation included.
    """

    experiment: Experiment
    seeds: list[int]
    updates: list[int]
    curves: list[list[float]]
    seconds: float

    @property
    def task(self) -> Task:
        return TASKS[self.experiment.task]

    @property
    def last(self) -> list[float]:
        """What was measured in the end, by seed; of one that diverged, infinity."""
        ends = (curve[-1] for curve in self.curves)
        return [math.inf if math.isnan(end) else end for end in ends]

    @property
    def solved_at(self) -> list[int | None]:
        """The updates after which each seed was first seen to solve the task."""
        bar = self.task.solved(self.experiment.steps)
        first = lambda curve: next((u for u, m in self._pairs(curve) if m <= bar), None)
        return [first(curve) for curve in self.curves]

    def _pairs(self, curve: list[float]) -> Any:
        return zip(self.updates, curve, strict=True)


def run(
    experiment: Experiment,
    seeds: Sequence[int],
    *,
    tell: Callable[[int, list[float]], None] = lambda update, measured: None,
) -> Outcome:
    """Train all seeds, as one program, and test them now and then.

    A seed's numbers do not depend on the others. It ends early when one test finds
    that all have solved the task.

    Args:
      experiment: what to train.
      seeds: one a run.
      tell: is told the updates so far and what each test measured.
    """
    began = time.monotonic()
    task, recipe = TASKS[experiment.task], experiment.recipe
    state, update, measure = program(experiment, seeds)
    tested = task.test(experiment.steps)
    bar, updates, curves = task.solved(experiment.steps), [], []
    for done in range(0, recipe.updates + 1, recipe.every):
        if done:
            state = update(state, batches(experiment, seeds, done))
        updates.append(done)
        curves.append(np.asarray(measure(state.params, *tested)).tolist())
        tell(done, curves[-1])
        if task.fresh and all(each <= bar for each in curves[-1]):
            break
    by_seed = [list(curve) for curve in zip(*curves, strict=True)]
    seconds = time.monotonic() - began
    return Outcome(experiment, [*seeds], updates, by_seed, seconds)


def program(experiment: Experiment, seeds: Sequence[int]) -> tuple[Any, Any, Any]:
    """The state of all seeds, `update(state, batches)` and `measure(params, *test)`."""
    task, recipe = TASKS[experiment.task], experiment.recipe
    model, optimizer = task.model(experiment.cell), recipe.transformation()
    outputs = lambda params, xs: jr.unroll(model, params, xs)[1]

    def objective(params: Any, batch: Any, carry: None, key: Any) -> tuple[Any, None]:
        xs, targets = batch
        loss = lambda ys: task.loss(ys, targets)
        value = loss(outputs(params, xs))
        if recipe.omega:
            value += recipe.omega * jr.gradflow.omega(model, params, xs, loss)
        return value, None

    def start(seed: jax.Array) -> jr.TrainState:
        key = jax.random.key(seed)
        return jr.init_state(model.init(key, task.read), optimizer, key)

    step = jr.train_step(objective, optimizer)
    # Not vmap: on a CPU products of small matrices are slower side by side.
    one = lambda given: jax.lax.scan(step, *given)[0]
    update = lambda state, batches: jax.lax.map(one, (state, batches))
    measure = lambda params, xs, targets: task.measure(outputs(params, xs), targets)
    return (
        jax.vmap(start)(jnp.array(seeds)),
        jax.jit(update, donate_argnums=0),
        jax.jit(jax.vmap(measure, (0, None, None))),
    )


def batches(experiment: Experiment, seeds: Sequence[int], done: int) -> Any:
    """The batches up to an update, `[seeds, every, ...]`, each seed's its own."""
    task, recipe = TASKS[experiment.task], experiment.recipe

    def of(seed: int) -> list[np.ndarray]:
        rows = recipe.every * recipe.batch
        xs, targets = task.draw(experiment.steps, rows, (seed, done))
        if recipe.noise:
            xs = noisy(xs, recipe.noise, (seed, done))
        a_step = targets.shape[:2] == xs.shape[:2]  # not one a sequence
        return [apart(xs, 1), apart(targets, 1 if a_step else 0)]

    def apart(array: np.ndarray, axis: int) -> np.ndarray:
        before, after = array.shape[:axis], array.shape[axis + 1 :]
        shape = *before, recipe.every, recipe.batch, *after
        return np.moveaxis(array.reshape(shape), axis, 0)

    return [np.stack(each) for each in zip(*map(of, seeds), strict=True)]


def noisy(xs: np.ndarray, deviation: float, seed: Sequence[int]) -> np.ndarray:
    """The inputs, and as much noise on each: nothing that is learned hangs on one."""
    drawn = np.random.default_rng([*seed, 1]).standard_normal(xs.shape, np.float32)
    return xs + np.float32(deviation) * drawn


def saved(folder: Path, experiment: Experiment, seeds: Sequence[int]) -> Outcome | None:
    """What the experiment came to, if it was run before, in the same way."""
    path = folder / f"{experiment.name}.json"
    if not path.exists():
        return None
    told = json.loads(path.read_text("utf-8"))
    same = told_of(experiment, seeds)
    if any(told.get(name) != value for name, value in same.items()):
        return None
    numbers = (told[name] for name in ("updates", "curves", "seconds"))
    return Outcome(experiment, [*seeds], *numbers)


def save(folder: Path, outcome: Outcome) -> None:
    """Write what an experiment came to, whole or not at all."""
    experiment = outcome.experiment
    told = told_of(experiment, outcome.seeds)
    told |= {"seconds": round(outcome.seconds, 1)}
    told |= {"updates": outcome.updates, "curves": outcome.curves}
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"{experiment.name}.unfinished"
    unfinished.write_text(json.dumps(told, indent=1), "utf-8")
    unfinished.rename(folder / f"{experiment.name}.json")


def told_of(experiment: Experiment, seeds: Sequence[int]) -> dict[str, Any]:
    """What an outcome hangs on, for the file that keeps it."""
    told = {"name": experiment.name, "cell": repr(experiment.cell)}
    return told | {"recipe": experiment.recipe._asdict(), "seeds": [*seeds]}
