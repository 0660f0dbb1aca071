"""A training loop, made of the pieces beside it."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.training.callbacks import Callback, EpochFunction, Numbers
from jaxrnn.training.checkpoints import Checkpoints
from jaxrnn.training.interrupt import Interrupt
from jaxrnn.training.meter import Meter
from jaxrnn.training.step import TrainState, TrainStep
from jaxrnn.typing import PyTree


class Fitted(NamedTuple):
    """What `fit` returns.

    Attributes:
      state: after the last step.
      best: the parameters that validated best; without validation, the last ones.
      history: a row for each epoch of this call.
    """

    state: TrainState
    best: PyTree
    history: list[Numbers]


class Progress(NamedTuple):
    """How far a run is, beside its state; numbers that a checkpoint holds.

    Attributes:
      epoch: the whole epochs so far.
      batches: those of the epoch at hand.
      loss: the sum of their losses.
      skipped: those of them whose loss or gradient was not finite.
      seconds: of training so far.
      score: the best that validation gave.
      waited: epochs since then.
    """

    epoch: int = 0
    batches: int = 0
    loss: float = 0.0
    skipped: int = 0
    seconds: float = 0.0
    score: float = math.inf
    waited: int = 0


def fit(
    step: TrainStep,
    state: TrainState,
    batches: Callable[[int], Iterable[Any]],
    *,
    epochs: int | None = None,
    steps: int | None = None,
    seconds: float | None = None,
    validate: Callable[[PyTree], Mapping[str, float]] | None = None,
    patience: int | None = None,
    checkpoints: Checkpoints | None = None,
    checkpoint_every: float = 60.0,
    callbacks: Sequence[Callback | Callable[[TrainState, Numbers], None]] = (),
) -> Fitted:
    """Train until a limit is reached. It does what this loop does::

      for epoch in range(epochs):
          state = state._replace(carry=the carry that it came with)
          for batch in batches(epoch):
              state, metrics = step(state, batch)
          row = {"loss": mean of metrics["loss"], **validate(state.params)}
          checkpoints.save(state)

    The device is not kept waiting: losses are read some steps late. A run with
    checkpoints goes on from the last one, at the very batch, and then equals one that
    was never stopped, bit for bit, if `batches` gives the same for an epoch each time.
    Ctrl-C saves a checkpoint before it raises `KeyboardInterrupt`.

    Args:
      step: what `train_step` returned.
      state: what `init_state` returned; its arrays are not used again.
      batches: from the number of an epoch, from 0, to its batches.
      epochs: the most epochs.
      steps: the most steps.
      seconds: the longest time, that of a run's earlier parts counted in.
      validate: from parameters to numbers by name; of the first of them the lowest
        counts as the best.
      patience: stop after so many epochs without a better validation.
      checkpoints: where to save, after every epoch; and what to go on from.
      checkpoint_every: seconds from one checkpoint to the next within an epoch.
      callbacks: what else is to happen; see `Callback`.

    Returns:
      The last state, the best parameters and the numbers of every epoch.

    Raises:
      ValueError: no limit is given, or an epoch has no batches.
      FloatingPointError: a loss or a gradient is not finite; the checkpoints hold
        only what was before. Where `skip_nonfinite` is around the optimizer: so it is
        in all steps of an epoch.
      KeyboardInterrupt: at Ctrl-C, once everything is saved.
    """
    if epochs is None and steps is None and seconds is None:
        raise ValueError("`fit` needs a limit: `epochs`, `steps` or `seconds`")
    no_limit = math.inf
    limits = Limits(
        no_limit if epochs is None else epochs,
        no_limit if steps is None else steps,
        no_limit if seconds is None else seconds,
        no_limit if patience is None else patience,
    )
    hooks = [c if isinstance(c, Callback) else EpochFunction(c) for c in callbacks]
    run = _Run(
        step, state, limits, hooks, validate, checkpoints, float(checkpoint_every)
    )
    return run.all(batches)


class Limits(NamedTuple):
    """A run ends at the first of these that it reaches; patience counts epochs."""

    epochs: float
    steps: float
    seconds: float
    patience: float


@dataclass
class _Run:
    """A run under way: the state, how far it is, and what is known of its numbers."""

    step: TrainStep
    state: TrainState
    limits: Limits
    hooks: Sequence[Callback]
    validate: Callable[[PyTree], Mapping[str, float]] | None
    checkpoints: Checkpoints | None
    checkpoint_every: float
    progress: Progress = field(default_factory=Progress)
    meter: Meter = field(default_factory=Meter)
    history: list[Numbers] = field(default_factory=list)
    interrupt: Interrupt = field(default_factory=Interrupt)

    def all(self, batches: Callable[[int], Iterable[Any]]) -> Fitted:
        self.first_carry = _copy(self.state.carry)
        self.best = None if self.validate is None else _copy(self.state.params)
        if self.checkpoints is not None and self.checkpoints.latest() is not None:
            self.state, self.best, self.progress = self.checkpoints.restore(self._saved)
        self.sent = self.known = int(self.state.step)
        self.began = time.monotonic() - self.progress.seconds
        self.saved_at = time.monotonic()
        try:
            for hook in self.hooks:
                hook.on_start(self.sent)
            with self.interrupt:
                while not self._is_over():
                    self._epoch(batches(self.progress.epoch))
        finally:
            for hook in self.hooks:
                hook.on_end()
        best = self.state.params if self.best is None else self.best
        return Fitted(self.state, best, self.history)

    def _epoch(self, batches: Iterable[Any]) -> None:
        done = self.progress.batches
        if done == 0:
            self.state = self.state._replace(carry=_copy(self.first_carry))
        rest = islice(batches, done, None)
        for batch in rest:
            self._one(batch)
            if self._is_stopped():
                break
            if time.monotonic() - self.saved_at > self.checkpoint_every:
                self._save({})
        self._close(whole=next(rest, None) is None)

    def _one(self, batch: Any) -> None:
        for hook in self.hooks:
            hook.on_batch(self.state, batch)
        self.state, metrics = self.step(self.state, batch)
        self.sent += 1
        self.progress = self.progress._replace(batches=self.progress.batches + 1)
        self.meter.add(metrics)
        for hook in self.hooks:
            hook.on_step(self.state, batch)
        self._read()

    def _close(self, *, whole: bool) -> None:
        """The end of an epoch, or of as much of it as the limits allow."""
        self._read(wait=True)
        before = self.progress
        if before.batches == 0:
            raise ValueError(
                f"`batches` must give some, got none for epoch {before.epoch}"
            )
        counted = before.batches - before.skipped
        loss = before.loss / counted if counted else math.nan
        _check_finite({"loss": loss}, f"in all steps of epoch {before.epoch + 1}")
        row: Numbers = {
            "epoch": before.epoch + 1,
            "step": self.sent,
            "seconds": time.monotonic() - self.began,
            "loss": loss,
        }
        if before.skipped:
            row["skipped"] = before.skipped
        if self.validate is not None:
            row |= self._validated(self.validate)
        if whole:
            self.progress = self.progress._replace(
                epoch=before.epoch + 1, batches=0, loss=0.0, skipped=0
            )
        for hook in self.hooks:
            hook.on_epoch(self.state, row)
        self.history.append(row)
        self._save(row)

    def _validated(self, validate: Callable[[PyTree], Mapping[str, float]]) -> Numbers:
        scores = {name: float(v) for name, v in validate(self.state.params).items()}
        _check_finite(scores, f"after step {self.sent}")
        score = next(iter(scores.values()))
        best = score < self.progress.score
        if best:
            self.best = _copy(self.state.params)
            self.progress = self.progress._replace(score=score, waited=0)
        else:
            self.progress = self.progress._replace(waited=self.progress.waited + 1)
        return {**scores, "best": best}

    def _read(self, *, wait: bool = False) -> None:
        for metrics in self.meter.read(wait=wait):
            self.known += 1
            self.progress = self._counted(metrics)
            for hook in self.hooks:
                hook.on_metrics(self.known, metrics)

    def _counted(self, metrics: dict[str, float]) -> Progress:
        before = self.progress
        if metrics.get("skipped"):
            return before._replace(skipped=before.skipped + 1)
        _check_finite({"loss": metrics["loss"], **metrics}, f"at step {self.known}")
        return before._replace(loss=before.loss + metrics["loss"])

    def _is_stopped(self) -> bool:
        """Whether to leave the epoch at hand."""
        if self.interrupt.requested:
            self._save({})
            raise KeyboardInterrupt
        elapsed = time.monotonic() - self.began
        return self.sent >= self.limits.steps or elapsed >= self.limits.seconds

    def _is_over(self) -> bool:
        done = self.progress.epoch >= self.limits.epochs
        return (
            done or self.progress.waited >= self.limits.patience or self._is_stopped()
        )

    def _save(self, row: Numbers) -> None:
        if self.checkpoints is not None:
            self._read(wait=True)
            seconds = time.monotonic() - self.began
            self.progress = self.progress._replace(seconds=seconds)
            self.checkpoints.save(self.sent, self._saved, row)
        self.saved_at = time.monotonic()

    @property
    def _saved(self) -> PyTree:
        return self.state, self.best, self.progress


def _copy(tree: PyTree) -> PyTree:
    """The same in arrays of its own, for a step takes over those of its state."""
    return jax.tree.map(jnp.copy, tree)


def _check_finite(numbers: Mapping[str, float], place: str) -> None:
    for name, value in numbers.items():
        if not math.isfinite(value):
            raise FloatingPointError(
                f"`{name}` is {value} {place}: "
                "lower the learning rate, or clip the gradient"
            )
