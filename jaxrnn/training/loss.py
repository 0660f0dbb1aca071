"""The loss of a sequence, reduced as it is computed."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax

from jaxrnn.cell import Cell
from jaxrnn.losses import reduce
from jaxrnn.typing import Array, Key, PyTree, Shape
from jaxrnn.unroll.arrange import Arrays, Sequence, arrange, time_first
from jaxrnn.unroll.chunks import chunk_size, scan_chunks
from jaxrnn.unroll.masks import zero_padding
from jaxrnn.unroll.method import check_method
from jaxrnn.unroll.origin import Origin
from jaxrnn.unroll.run import Run

Loss = Callable[[PyTree, PyTree], Array]


def unroll_loss(
    cell: Cell,
    params: PyTree,
    xs: PyTree,
    targets: PyTree,
    loss: Loss,
    *,
    carry: PyTree = None,
    lengths: Array | None = None,
    mask: Array | None = None,
    reset: Array | None = None,
    reverse: bool = False,
    key: Key | None = None,
    start: int | Array = 0,
    context: PyTree = None,
    time_axis: int = 0,
    checkpoint: int | str | None = None,
    method: str = "auto",
    reduction: str = "mean",
) -> tuple[Array, PyTree]:
    """The loss of every real step, summed or averaged; `unroll` without its outputs.

    ::

      carry, ys = unroll(cell, params, xs, carry, ...)
      value = sum(loss(ys[t], targets[t]) for real steps t)    # / their number: "mean"

    With `checkpoint` the outputs of one chunk at a time exist, in both passes, so that
    a loss at each of 100,000 steps fits into memory.

    Args:
      cell: any cell.
      params: what `cell.init` returned.
      xs: inputs `[T, *batch, ...]`.
      targets: a tree of arrays `[T, *batch, ...]`; at padded steps they may hold
        anything.
      loss: `(y, target) -> [T, *batch]` losses of steps, such as `cross_entropy`, on
        any number of steps. Outside jit a function made anew compiles anew.
      carry: the state to start from; None: the cell's initial carry.
      lengths, mask, reset, reverse, key, start, context, time_axis, checkpoint, method:
        as for `unroll`.
      reduction: "mean" over real steps, "sum", "row mean" or "none", as for `reduce`; 0
        if no step is real.

    Returns:
      `(value, carry)`, as `jax.value_and_grad(..., has_aux=True)` wants it.

    Raises:
      ValueError, TypeError: for arguments that do not fit, by name.

    Example:
      >>> import jax.numpy as jnp, jaxrnn as jr
      >>> model = jr.Stack(jr.Embed(5, 3), jr.LSTM(4), jr.Dense(5))
      >>> params = model.init(jax.random.key(0))
      >>> text = jnp.array([[0], [3], [1], [2]])  # [T + 1, B]
      >>> def objective(params):
      ...     return jr.unroll_loss(
      ...         model, params, text[:-1], text[1:], jr.cross_entropy
      ...     )
      >>> (value, carry), grads = jax.value_and_grad(objective, has_aux=True)(params)
      >>> 1.0 < float(value) < 3.0
      True
    """
    check_method(method, cell)
    sequence = arrange(
        cell, xs, lengths=lengths, mask=mask, reset=reset, time_axis=time_axis
    )
    targets = arrange_targets(targets, sequence, time_axis)
    size = chunk_size(checkpoint, sequence.steps)
    options = (cell, loss, sequence.batch_shape, bool(reverse), size, method)
    origin = Origin(params, carry, key, start, context)
    last, losses = _losses(options, origin, sequence.arrays, targets)
    return reduce(losses, sequence.arrays.mask, reduction=reduction), last


def arrange_targets(targets: PyTree, sequence: Sequence, time_axis: int) -> PyTree:
    """Targets with time first, zero at padded steps, where they may hold anything."""
    targets = jax.tree.map(lambda a: time_first(a, time_axis), targets)
    expected = (sequence.steps, *sequence.batch_shape)
    for leaf in jax.tree.leaves(targets):
        if leaf.shape[: len(expected)] != expected:
            raise ValueError(
                f"`targets` must start with the axes (T, *batch) = {expected} of `xs`, "
                f"got shape {leaf.shape}"
            )
    return zero_padding(sequence.arrays.mask, targets)


def step_losses(loss: Loss, ys: PyTree, targets: PyTree, shape: Shape) -> Array:
    """What `loss` gives, once it is one value for each step of each row."""
    values = loss(ys, targets)
    if values.shape != shape:
        raise ValueError(
            "`loss` must give one value a step and row, of shape (T, *batch) = "
            f"{shape}, got {values.shape}"
        )
    return values


@functools.partial(jax.jit, static_argnums=0)
def _losses(
    options: tuple, origin: Origin, arrays: Arrays, targets: PyTree
) -> tuple[PyTree, Array]:
    cell, loss, batch_shape, backwards, size, method = options
    run = Run(batch_shape, backwards=backwards, method=method)
    run = run.with_arrays(arrays, origin.key, origin.start)
    ready, carry = origin.begin(cell, arrays.xs, batch_shape)

    def chunk(carry: PyTree, inputs: Any, run: Run) -> tuple[PyTree, Array]:
        xs, targets, flags = inputs
        carry, ys = run.over(flags)(cell, ready, carry, xs)
        steps = jax.tree.leaves(xs)[0].shape[0]
        return carry, step_losses(loss, ys, targets, (steps, *batch_shape))

    inputs = (arrays.xs, targets, run.flags)
    if size is None or not cell.causal:
        return chunk(carry, inputs, dataclasses.replace(run, checkpoint=size))
    in_order = functools.partial(chunk, run=run)
    return scan_chunks(in_order, carry, inputs, size, reverse=backwards)
