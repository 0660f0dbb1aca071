"""One look at how the gradients of a model flow through time."""

import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.cell import Cell
from jaxrnn.gradflow.distances import Distances, split
from jaxrnn.gradflow.flow import GradientFlow, LayerFlow
from jaxrnn.gradflow.gates import saturation
from jaxrnn.gradflow.observe import (
    Observed,
    Place,
    Recurrence,
    Taps,
    observed,
    observing,
)
from jaxrnn.gradflow.sizes import joint_size, labels, size
from jaxrnn.gradflow.spectra import Spectra, spectra
from jaxrnn.gradflow.tapped import moving
from jaxrnn.losses import reduce
from jaxrnn.typing import Array, Key, PyTree
from jaxrnn.unroll.arrange import Arrays, Sequence, arrange
from jaxrnn.unroll.origin import Origin

Loss = Callable[..., Array]


class _Settings(NamedTuple):
    distances: int
    rows: int
    thresholds: tuple[float, float]


def measure(
    cell: Cell,
    params: PyTree,
    xs: PyTree,
    loss: Loss,
    carry: PyTree = None,
    *,
    targets: PyTree = None,
    lengths: Array | None = None,
    mask: Array | None = None,
    reset: Array | None = None,
    reverse: bool = False,
    key: Key | None = None,
    start: int | Array = 0,
    context: PyTree = None,
    time_axis: int = 0,
    distances: int = 100,
    rows: int = 1,
    thresholds: tuple[float, float] = (0.1, 0.9),
) -> GradientFlow:
    """How the gradients of a loss flow back through a model, and why it may not learn.

    ::

      carry, ys = unroll(cell, params, xs, carry, ...)
      value = loss(ys)  # or loss(ys, targets)

    Then, for every recurrence in the model, each layer and each direction: ||dL/dc_t||
    at every step, how much of dL/dW comes from how many steps back, how far an error
    signal reaches, what the step Jacobians do to it, and how many gates are shut. It
    takes one jitted pass, compiled once a shape; what stands in padding does not count.
    What runs before the first step is not seen: the encoder of an `EncoderDecoder`,
    which is to be measured as a model of its own.

    Args:
      cell: any cell.
      params: what `cell.init` returned.
      xs: inputs `[T, *batch, ...]`.
      loss: from the outputs to a real scalar, or to one for each step and row, of which
        the mean over real steps is taken. A function made anew compiles anew: what
        changes from call to call comes as `targets`.
      carry: the state to start from; None: the cell's initial carry.
      targets: a second argument of the loss; None: it has one.
      lengths, mask, reset, reverse, key, start, context, time_axis: as for `unroll`.
        The results have time first in any case.
      distances: how many steps back the split of dL/dW goes, at most T. Each costs one
        step backwards for all t at once.
      rows: the rows whose step Jacobians are looked at; 0: none. They take as many
        steps of the whole batch as the state has numbers.
      thresholds: below the first a gate is closed, above the second it is open.

    Returns:
      A `GradientFlow`: arrays, with `verdict()` in words and `plot()` as a figure.

    Raises:
      ValueError, TypeError: for arguments that do not fit, by name.

    References:
      Pascanu, Mikolov, Bengio 2013, section 2; lectures 000, 003 and 004.

    Example:
      >>> import jaxrnn as jr
      >>> half = jr.initializers.Identity(0.5)
      >>> cell = jr.Elman(4, activation="identity", recurrent_init=half)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> xs = jax.random.normal(jax.random.key(1), (20, 2, 3))
      >>> flow = measure(cell, params, xs, lambda ys: jnp.sum(ys[-1] ** 2))
      >>> flow.layers["Elman"].norms["hidden"].shape
      (20, 2)
      >>> print(flow.verdict())  # doctest: +ELLIPSIS
      Elman: gradients shrink by 0.50 a step; after 10 steps below 1e-3 of the last; ...
    """
    checks.positive(distances=distances)
    if len(thresholds) != 2 or not 0 <= thresholds[0] < thresholds[1] <= 1:
        raise ValueError(f"`thresholds` must rise within [0, 1], got {thresholds}")
    low, high = map(float, thresholds)
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 0:
        raise ValueError(f"`rows` must be an integer of at least 0, got {rows!r}")
    sequence = arrange(
        cell, xs, lengths=lengths, mask=mask, reset=reset, time_axis=time_axis
    )
    if 0 in (sequence.steps, *sequence.batch_shape):
        held = sequence.steps, *sequence.batch_shape
        raise ValueError(f"`xs` must hold a step and a row at least, got {held}")
    shape = sequence.batch_shape, bool(reverse), time_axis
    settings = _Settings(distances, rows, (low, high))
    origin = Origin(params, carry, key, start, context)
    options = (cell, loss, shape, settings)
    return _compiled(options, origin, sequence.arrays, targets)


@functools.partial(jax.jit, static_argnums=0)
def _compiled(
    options: tuple, origin: Origin, arrays: Arrays, targets: PyTree
) -> GradientFlow:
    cell, loss, (batch_shape, backwards, time_axis), settings = options
    steps = jax.tree.leaves(arrays.xs)[0].shape[0]
    sequence = Sequence(arrays, steps, batch_shape, time_axis)
    run = observing(batch_shape, origin, arrays, backwards)

    def model(run: Observed) -> PyTree:
        ready, carry = origin.begin(cell, arrays.xs, batch_shape)
        return run(cell, ready, carry, arrays.xs)[1]

    scalar = lambda ys: _scalar(loss, ys, targets, sequence)
    value, *found = observed(model, scalar, run)
    layers = OrderedDict(
        (place.name, _layer(place, note, gradient, settings))
        for place, note, gradient in zip(*found, strict=True)
    )
    lengths = jnp.full(batch_shape, steps, jnp.int32)
    if arrays.mask is not None:
        lengths = jnp.sum(arrays.mask, axis=0, dtype=jnp.int32)
    return GradientFlow(value, layers, lengths, jnp.asarray(settings.thresholds))


def _scalar(loss: Loss, ys: PyTree, targets: PyTree, sequence: Sequence) -> Array:
    """The loss, the mean over real steps of one that gives a value for each."""
    ys = sequence.like_input(ys)
    value = jnp.asarray(loss(ys) if targets is None else loss(ys, targets))
    if not jnp.issubdtype(value.dtype, jnp.floating):
        raise ValueError(f"`loss` must give floating numbers, got {value.dtype}")
    expected = (sequence.steps, *sequence.batch_shape)
    if sequence.time_axis == 1 and value.ndim > 1:
        value = jnp.moveaxis(value, 1, 0)
    if value.shape not in ((), expected):
        raise ValueError(
            "`loss` must give a scalar, or a value for each step and row of shape "
            f"{expected}, got {value.shape}"
        )
    return reduce(value, sequence.arrays.mask) if value.ndim else value


def _layer(
    place: Place, note: Recurrence, gradient: Taps, settings: _Settings
) -> LayerFlow:
    low, high = settings.thresholds
    sizes = lambda leaves: [size(a, place.leading) for a in leaves]
    shape = jax.tree.leaves(note.xs)[0].shape[: place.leading]
    outputs = moving(gradient.output) or [jnp.zeros(shape, jnp.float32)]
    output = joint_size(outputs, place.leading)
    gradients = map(size, moving(gradient.ready))
    names = labels(note.ready, "weight")
    weights = OrderedDict(zip(names, gradients, strict=True))
    if not gradient.carry:
        nothing = Distances({}, {}, jnp.zeros(0, output.dtype))
        return LayerFlow({}, output, weights, nothing, None, {})
    norms = zip(labels(note.before, "hidden"), sizes(gradient.carry), strict=True)
    in_order = lambda a: jnp.flip(a, 0) if place.backwards else a
    ordered = gradient._replace(output=jax.tree.map(in_order, gradient.output))
    count = min(settings.distances, len(output))
    found = None
    if settings.rows:
        *of_steps, bound = spectra(place, note, rows=settings.rows)
        values, radius, product = map(in_order, of_steps)
        found = Spectra(values, radius, product, bound)
    return LayerFlow(
        OrderedDict(norms),
        output,
        weights,
        split(place, note, ordered, count=count),
        found,
        saturation(place, note, low=low, high=high),
    )
