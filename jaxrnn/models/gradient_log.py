"""Gradient flow while a model trains: numbers in a file, and a page at the end."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn import checks
from jaxrnn.cell import Cell
from jaxrnn.gradflow import GradientFlow, LayerFlow, measure, update_ratios
from jaxrnn.gradflow.verdict import fade
from jaxrnn.losses import cross_entropy
from jaxrnn.models.gradient_page import draw
from jaxrnn.training import Callback, MetricsFile, TrainState, read_rows
from jaxrnn.typing import PyTree

Look = Callable[[TrainState, Any], GradientFlow]


class GradientLog(Callback):
    """Looks at the gradients every so many steps of `fit`.

    A look is at what a step begins with, its carry included, and a line of JSON: for
    every layer the factor of gradients a step, what is left of them, their norms over
    time and gates; beside it the gradient's norm, the share of steps since the last
    look whose gradient was clipped, and ||update|| / ||weight|| of each array. A run
    that goes on drops what was written after its checkpoint.

    Args:
      path: of the file.
      look: from a state and a batch to what `gradflow.measure` returns.
      every: steps between two looks.
      limit: the largest norm that is not clipped; None: there is none, or it is not
        known, and so `clipped` is null.
      picture: path of the page that is drawn at the end; None: none is.

    Example:
      >>> import jaxrnn as jr
      >>> model = jr.Stack(jr.Embed(5, 3), jr.LSTM(4), jr.Dense(5))
      >>> look = language_look(model)
      >>> log = GradientLog("gradflow.jsonl", look, every=50, limit=1.0)
    """

    def __init__(
        self,
        path: str | os.PathLike,
        look: Look,
        *,
        every: int = 100,
        limit: float | None = None,
        picture: str | os.PathLike | None = None,
    ) -> None:
        checks.positive(every=every)
        self.look, self.every, self.limit = look, every, limit
        self.picture = None if picture is None else Path(picture)
        self.file = MetricsFile(path, every=1)

    def on_start(self, step: int) -> None:
        self.file.on_start(step)
        self.sent, self.norms = step, list[float]()
        self.pending = dict[int, Any]()

    def on_batch(self, state: TrainState, batch: Any) -> None:
        self.sent += 1
        if self.sent % self.every == 0:
            before = jax.tree.map(jnp.copy, state.params)
            self.pending[self.sent] = self.look(state, batch), before

    def on_step(self, state: TrainState, batch: Any) -> None:
        if self.sent % self.every == 0:
            flow, before = self.pending[self.sent]
            self.pending[self.sent] = flow, _ratios(before, state.params)

    def on_metrics(self, step: int, metrics: dict[str, float]) -> None:
        self.norms.append(metrics["gradient_norm"])
        if step in self.pending:
            flow, ratios = jax.device_get(self.pending.pop(step))
            clipped = None
            if self.limit is not None:
                clipped = float(np.mean(np.array(self.norms) > self.limit))
            row = {
                "gradient_norm": metrics["gradient_norm"],
                "clipped": clipped,
                "updates": ratios,
                "layers": {name: _row(layer) for name, layer in flow.layers.items()},
                "verdict": flow.verdict(),
            }
            self.file.on_metrics(step, _in_json(row))
            self.norms = []

    def on_end(self) -> None:
        rows = read_rows(self.file.path)
        if self.picture is not None and rows:
            draw(self.picture, rows)


def language_look(
    model: Cell, *, streams: int = 2, distances: int = 24, rows: int = 0
) -> Look:
    """A look at a character language model, for `GradientLog`.

    Args:
      model: ids in, logits out.
      streams: the rows of the window that are looked at.
      distances: how many steps back the split of the gradients goes.
      rows: the rows whose step Jacobians are looked at.

    Returns:
      A function of a state and a `Window`. It starts from the state's carry, and draws
      nothing at random.
    """

    def look(state: TrainState, window: Any) -> GradientFlow:
        first = lambda tree: jax.tree.map(lambda a: a[:streams], tree)
        xs, targets = (jnp.asarray(a)[:, :streams] for a in window[:2])
        return measure(
            model,
            state.params,
            xs,
            cross_entropy,
            first(state.carry),
            targets=targets,
            distances=distances,
            rows=rows,
        )

    return look


@jax.jit
def _ratios(before: PyTree, after: PyTree) -> dict[str, Any]:
    moves = jax.tree.map(jnp.subtract, after, before)
    ratios = jax.tree.leaves_with_path(update_ratios(before, moves))
    name = lambda path: jax.tree_util.keystr(path, simple=True, separator=".")
    return {name(path): ratio for path, ratio in ratios}


def _row(layer: LayerFlow) -> dict[str, Any]:
    """What a file keeps of a layer."""
    if not layer.norms:
        return {}
    found = fade(np.asarray(layer.distances.reach))
    mean = lambda norm: np.asarray(norm).reshape(len(norm), -1).mean(axis=1)
    return {
        "rate": None if found is None else found.rate,
        "reach": layer.distances.reach,
        "norms": {name: mean(norm) for name, norm in layer.norms.items()},
        "gates": {name: list(gate) for name, gate in layer.gates.items()},
    }


def _in_json(value: Any) -> Any:
    """Arrays as lists of four digits, null for what is not finite."""
    if isinstance(value, dict):
        return {name: _in_json(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_in_json(part) for part in value]
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        return _in_json(np.asarray(value).tolist())
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    return value
