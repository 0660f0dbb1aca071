"""What happens beside training: files of numbers, a progress bar, anything of yours."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxrnn.files import write
from jaxrnn.training.step import TrainState

Numbers = dict[str, Any]


class Callback:
    """Something that `fit` tells what happens; every method may be left out.

    A plain function is a callback too: it stands for `on_epoch`.

    Example:
      >>> class Alarm(Callback):
      ...     def on_metrics(self, step, metrics):
      ...         if metrics["gradient_norm"] > 100:
      ...             print(f"a large gradient at step {step}")
    """

    def on_start(self, step: int) -> None:
        """Before the first step, of a resumed run as well.

        Args:
          step: the updates so far, 0 for a new run.
        """

    def on_batch(self, state: TrainState, batch: Any) -> None:
        """Before a step is sent to the device.

        Args:
          state: before the step, with the carry that it starts from. The step takes
            over its arrays, so copy what you keep.
          batch: what the step is made with.
        """

    def on_step(self, state: TrainState, batch: Any) -> None:
        """After a step was sent to the device, which may not have finished it.

        Args:
          state: after the step. The next step takes over its arrays, so copy what you
            keep; reading a number waits for the device.
          batch: what the step was made with.
        """

    def on_metrics(self, step: int, metrics: dict[str, float]) -> None:
        """Once the numbers of a step are known, some steps later; every step in order.

        Args:
          step: the number of the step, from 1.
          metrics: `loss` and `gradient_norm`; with `skip_nonfinite` also `skipped`, 1
            for a step left out, whose other numbers may be no numbers.
        """

    def on_epoch(self, state: TrainState, row: Numbers) -> None:
        """After validation, before the checkpoint.

        Args:
          state: at the end of the epoch.
          row: `epoch`, `step`, `seconds`, the mean `loss`, what validation gave, and
            whether it was the `best`; what one callback adds, those after it see.
        """

    def on_end(self) -> None:
        """At the end, however training ends."""


class EpochFunction(Callback):
    """A plain function as a callback.

    Args:
      function: of the state and the row of an epoch.
    """

    def __init__(self, function: Callable[[TrainState, Numbers], None]) -> None:
        self.function = function

    def on_epoch(self, state: TrainState, row: Numbers) -> None:
        self.function(state, row)


class MetricsFile(Callback):
    """Writes numbers to a file, one JSON object a line; null is one that is not finite.

    A run that goes on from a checkpoint drops what was written after it, so that the
    file of a run in several parts is that of the run in one (but for the seconds).

    Args:
      path: of the file.
      every: steps between two rows of a step; epochs have a row each.
      translate: from the numbers that training knows to those that are written.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     file = MetricsFile(f"{folder}/metrics.jsonl", every=2)
      ...     for step in range(1, 5):
      ...         file.on_metrics(step, {"loss": 1 / step})
      ...     read_rows(f"{folder}/metrics.jsonl")
      [{'step': 2, 'loss': 0.5}, {'step': 4, 'loss': 0.25}]
    """

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        every: int = 10,
        translate: Callable[[Numbers], Numbers] = dict,
    ) -> None:
        self.path, self.every, self.translate = Path(path), every, translate

    def on_start(self, step: int) -> None:
        rows = [row for row in read_rows(self.path) if row["step"] <= step]
        write(self.path, "".join(json.dumps(row) + "\n" for row in rows).encode())

    def on_metrics(self, step: int, metrics: dict[str, float]) -> None:
        if step % self.every == 0:
            self._append({"step": step, **metrics})

    def on_epoch(self, state: TrainState, row: Numbers) -> None:
        # There it is, if a kill came between this row and the checkpoint behind it.
        there = any(
            "epoch" in other and other["step"] == row["step"]
            for other in read_rows(self.path)
        )
        if not there:
            self._append(row)

    def _append(self, row: Numbers) -> None:
        numbers = {name: _in_json(value) for name, value in self.translate(row).items()}
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(numbers) + "\n")


def _in_json(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_rows(path: str | os.PathLike) -> list[Numbers]:
    """The rows that `MetricsFile` wrote.

    Args:
      path: of the file; none is a file without rows.

    Returns:
      A dict a line. A last line that a killed process cut short does not count.
    """
    if not Path(path).exists():
        return []
    lines = Path(path).read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


class ProgressBar(Callback):
    """A bar with the loss, the speed and the time left.

    Args:
      total: the steps of the run.
      size: what a step counts: the characters of a window, the rows of a batch.
      unit: what is counted.
      show: the loss in words.
      file: where to; None: standard error.
    """

    def __init__(
        self,
        total: int,
        *,
        size: int = 1,
        unit: str = "step",
        show: Callable[[float], str] = "loss {:.3f}".format,
        file: Any = None,
    ) -> None:
        self.total, self.size, self.unit = total, size, unit
        self.show, self.file = show, file
        self._bar: Any = None

    def on_start(self, step: int) -> None:
        import sys

        from tqdm import tqdm

        file = self.file or sys.stderr
        self._mean = math.nan
        self._bar = tqdm(
            total=self.total * self.size,
            initial=step * self.size,
            unit=self.unit,
            unit_scale=True,
            smoothing=0.1,
            dynamic_ncols=True,
            # A log file wants few lines, a terminal a bar that moves.
            mininterval=0.5 if file.isatty() else 10,
            file=file,
        )

    def on_metrics(self, step: int, metrics: dict[str, float]) -> None:
        if not metrics.get("skipped"):
            old = metrics["loss"] if math.isnan(self._mean) else self._mean
            self._mean = 0.95 * old + 0.05 * metrics["loss"]
        self._bar.set_postfix_str(self.show(self._mean), refresh=False)
        self._bar.update(self.size)

    def write(self, line: str) -> None:
        """Print a line above the bar, to standard output.

        Args:
          line: of text.
        """
        from tqdm import tqdm

        tqdm.write(line)

    def on_end(self) -> None:
        if self._bar is not None:
            self._bar.close()
