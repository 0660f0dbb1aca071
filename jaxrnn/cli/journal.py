"""What a run leaves for people to read: lines, samples, the best model, a figure."""

import math
from typing import Any

from jaxrnn.cli.figure import draw
from jaxrnn.cli.folder import Run
from jaxrnn.files import save, write
from jaxrnn.models.sampling import sample
from jaxrnn.training import Callback, TrainState, read_rows


def in_bits(row: dict[str, Any]) -> dict[str, Any]:
    """A row of numbers with its loss in bits per character.

    Args:
      row: has the `loss` in nats per character.

    Example:
      >>> in_bits({"step": 10, "loss": math.log(2)})
      {'step': 10, 'train_bits_per_char': 1.0}
    """
    return {
        "train_bits_per_char" if name == "loss" else name: (
            value / math.log(2) if name == "loss" else value
        )
        for name, value in row.items()
    }


class Journal(Callback):
    """After every epoch: a line, a sample, and the model, if it is the best so far.

    Args:
      run: where to write.
      baselines: bits per character by name, for the figure.
      windows: in an epoch.
    """

    def __init__(self, run: Run, baselines: dict[str, float], *, windows: int) -> None:
        self.run, self.baselines, self.windows = run, baselines, windows

    def on_epoch(self, state: TrainState, row: dict[str, Any]) -> None:
        run = self.run
        drawn = sample(
            run.model,
            state.params,
            run.vocabulary,
            length=300,
            temperature=0.8,
            seed=run.config.seed,
        )
        row["sample"] = "".join(drawn)
        if row["best"]:
            save(run.model_file, run.model, state.params)
        write(run.samples_file, self._samples(row).encode())
        self._print(in_bits(row))

    def _samples(self, row: dict[str, Any]) -> str:
        rows = [r for r in read_rows(self.run.metrics_file) if "epoch" in r]
        return "\n".join(
            f"--- epoch {r['epoch']}, {r['valid_bits_per_char']:.4f} "
            f"bits per character\n{r['sample']}\n"
            for r in [*rows, row]
        )

    def _print(self, row: dict[str, Any]) -> None:
        from tqdm import tqdm

        epochs = math.ceil(self.run.total / self.windows)
        shown = " ".join(row["sample"].split())[:60]
        tqdm.write(
            f"epoch {row['epoch']}/{epochs}  "
            f"train {row['train_bits_per_char']:.3f}  "
            f"valid {row['valid_bits_per_char']:.3f} bits/char  | {shown}"
        )

    def on_end(self) -> None:
        rows = read_rows(self.run.metrics_file)
        if any("epoch" in row for row in rows):
            draw(
                self.run.figure_file,
                rows,
                baselines=self.baselines,
                windows=self.windows,
            )
