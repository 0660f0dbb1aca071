"""A run that notes every recurrence of a model, and lets one perturb it.

A container hands its cells to the engine, and what steps through time ends in
`Run.scan`. There each recurrence is noted, and zeros, the taps, are added to its
weights, to its outputs, and to its state after every step: the gradients of the loss
with respect to the taps are dL/dW, dL/dy_t and dL/dc_t.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp

from jaxrnn.cell import Cell
from jaxrnn.gradflow.tapped import Tapped, moving
from jaxrnn.typing import Array, Key, PyTree, Shape
from jaxrnn.unroll.arrange import Arrays
from jaxrnn.unroll.leaves import without_start
from jaxrnn.unroll.origin import Origin
from jaxrnn.unroll.run import Run
from jaxrnn.unroll.taken_apart import is_differentiable


class Place(NamedTuple):
    """Which recurrence of a model.

    Attributes:
      name: where it stands, its type and its direction, such as "1.0 LSTM backward".
      cell: what steps.
      backwards: from the last step to the first.
      leading: the axes of time and batch.
    """

    name: str
    cell: Cell
    backwards: bool
    leading: int


class Taps(NamedTuple):
    """What is added to a recurrence; None stands where nothing floats.

    Attributes:
      ready: like what the cell reads at every step.
      carry: the floating leaves of the carry, `[T, *batch, ...]`.
      output: like the outputs, `[T, *batch, ...]`.
    """

    ready: PyTree
    carry: list[Array]
    output: PyTree


class Recurrence(NamedTuple):
    """A recurrence as it ran, its steps in the order in which they were taken.

    Attributes:
      ready: what no step changes.
      xs: inputs, `[T, *batch, ...]`.
      keys: `[T]`, or None.
      before: the carry that each step began with, resets done, `[T, *batch, ...]`.
      real: `[T, *batch]`, where a step was taken; None: everywhere.
      begins: `[T, *batch]`, where the carry was replaced first; None: nowhere.
    """

    ready: PyTree
    xs: PyTree
    keys: Key | None
    before: PyTree
    real: Array | None
    begins: Array | None


@dataclasses.dataclass(frozen=True)
class Observed(Run):
    """A run that notes every recurrence, and adds taps to it.

    Attributes:
      taps: one for each recurrence, in the order of the run; None: there are none, and
        what is noted are arrays of the shapes that they must have.
      path: of containers, down to here.
      places: the recurrences so far.
      notes: a `Recurrence` for each; without taps, a `Taps`.
    """

    method: str = "scan"
    taps: list[Taps] | None = None
    path: tuple[int, ...] = ()
    places: list[Place] = dataclasses.field(default_factory=list)
    notes: list[Any] = dataclasses.field(default_factory=list)

    def scan(
        self, cell: Cell, ready: PyTree, carry: PyTree, xs: PyTree
    ) -> tuple[PyTree, PyTree]:
        leading = 1 + len(self.batch_shape)
        place = Place(self._name(cell), cell, self.backwards, leading)
        self.places.append(place)
        if self.taps is None:
            last, ys = super().scan(cell, ready, carry, xs)
            steps = jax.tree.leaves(xs)[0].shape[0]
            every = lambda a: jnp.broadcast_to(a, (steps, *a.shape))
            leaves = moving(without_start(carry)[0])
            self.notes.append(Taps(ready, list(map(every, leaves)), ys))
            return last, ys
        taps = self.taps[len(self.notes)]
        ready = _plus(ready, taps.ready)
        last, (ys, before) = super().scan(Tapped(cell), ready, carry, (xs, taps.carry))
        in_order = lambda a: jnp.flip(a, 0) if self.backwards else a
        noted = xs, self.keys, before, *self.step_flags
        self.notes.append(Recurrence(ready, *jax.tree.map(in_order, noted)))
        return last, _plus(ys, taps.output)

    def _at(self, place: int) -> "Observed":
        run = cast(Observed, super()._at(place))
        return dataclasses.replace(run, path=(*self.path, place))

    def _name(self, cell: Cell) -> str:
        place = ".".join(map(str, self.path))
        words = [place, type(cell).__name__, "backward" if self.backwards else ""]
        name = " ".join(word for word in words if word)
        same = sum(other.name.partition(" #")[0] == name for other in self.places)
        return f"{name} #{same + 1}" if same else name


def observing(
    batch_shape: Shape, origin: Origin, arrays: Arrays, way: bool
) -> Observed:
    """A run over a sequence, without taps; `way`: backwards."""
    run = Observed(batch_shape, backwards=way)
    return cast(Observed, run.with_arrays(arrays, origin.key, origin.start))


Model = Callable[[Observed], PyTree]


def observed(
    model: Model, loss: Callable[[PyTree], Array], run: Observed
) -> tuple[Array, list[Place], list[Recurrence], list[Taps]]:
    """The loss, every recurrence of the model, and the gradients of its taps.

    Args:
      model: from a run to the model's outputs.
      loss: a scalar, of the outputs.
      run: over the sequence, without taps.
    """
    taps, places = tapped(model, run)

    def objective(taps: list[Taps]) -> tuple[Array, list[Recurrence]]:
        tapping = dataclasses.replace(run, taps=taps, places=[], notes=[])
        return loss(model(tapping)), tapping.notes

    gradient = jax.value_and_grad(objective, has_aux=True)
    (value, notes), cotangents = gradient(taps)
    return value, places, notes, cotangents


def tapped(model: Model, run: Observed) -> tuple[list[Taps], list[Place]]:
    """Taps of zeros for every recurrence of the model, and which these are."""
    plain = dataclasses.replace(run, taps=None, places=[], notes=[])
    shapes = jax.eval_shape(lambda: (model(plain), plain.notes))[1]
    zero = lambda a: jnp.zeros(a.shape, a.dtype) if is_differentiable(a) else None
    return jax.tree.map(zero, shapes), plain.places


def _plus(tree: PyTree, taps: PyTree) -> PyTree:
    return jax.tree.map(lambda a, tap: a if tap is None else a + tap, tree, taps)
