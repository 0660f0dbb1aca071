"""Truncated backpropagation through time."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.cell import Cell
from jaxrnn.losses import reduce
from jaxrnn.training.loss import Loss, arrange_targets, step_losses
from jaxrnn.typing import Array, Key, PyTree
from jaxrnn.unroll.arrange import Arrays, arrange
from jaxrnn.unroll.masks import select
from jaxrnn.unroll.method import check_method
from jaxrnn.unroll.origin import Origin
from jaxrnn.unroll.run import Run


def tbptt_loss(
    cell: Cell,
    params: PyTree,
    xs: PyTree,
    targets: PyTree,
    loss: Loss,
    *,
    carry: PyTree = None,
    every: int,
    back: int | None = None,
    burn_in: int = 0,
    lengths: Array | None = None,
    mask: Array | None = None,
    reset: Array | None = None,
    key: Key | None = None,
    start: int | Array = 0,
    context: PyTree = None,
    time_axis: int = 0,
    method: str = "auto",
    reduction: str = "mean",
) -> tuple[Array, PyTree]:
    """The loss of a sequence whose gradient goes back a bounded number of steps.

    The value is that of `unroll_loss`. With k1 = `every`, k2 = `back` the gradient is::

      for t in (k1, 2 k1, 3 k1, ...):
          the loss of the steps t - k1 .. t - 1, backpropagated to the step t - k2
          and no further: the carry before that step counts as a constant

    So each step's loss counts once and reaches back between k2 - k1 + 1 and k2 steps,
    into the carry given where that is near enough. k1 = k2 = T is full
    backpropagation. The carry that comes out stops gradients too: passed into the next
    call it carries the state on for ever.

    Args:
      cell: any cell that can step.
      params: what `cell.init` returned.
      xs: inputs `[T, *batch, ...]`.
      targets: a tree of arrays `[T, *batch, ...]`.
      loss: `(y, target) -> [..., *batch]`, losses of steps.
      carry: the state to start from; None: the cell's initial carry.
      every: k1, steps from one backward pass to the next.
      back: k2, steps that each of them goes back, at least k1; None: k1.
      burn_in: steps at the start that only warm the carry up, without loss or gradient.
      lengths, mask, reset, key, start, context, time_axis, method: as for `unroll`.
      reduction: of the losses of the real steps after the burn-in, as for `reduce`.

    Returns:
      `(value, carry)`, as `jax.value_and_grad(..., has_aux=True)` wants it.

    Raises:
      ValueError, TypeError: for arguments that do not fit, by name.

    References:
      Williams, Peng 1990; Sutskever 2013, section 2.8.6, TBPTT(k1, k2). Burn-in:
      Kapturowski et al. 2019. Lectures 001 and 004.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.Elman(3)
      >>> params = cell.init(jax.random.key(0), 2)
      >>> xs, targets = jnp.ones((10, 4, 2)), jnp.zeros((10, 4, 3))
      >>> squared = lambda y, target: jnp.sum((y - target) ** 2, axis=-1)
      >>> def objective(params):
      ...     return tbptt_loss(cell, params, xs, targets, squared, every=2, back=6)
      >>> (value, carry), grads = jax.value_and_grad(objective, has_aux=True)(params)
      >>> carry.shape
      (4, 3)
    """
    check_method(method, cell)
    back = every if back is None else back
    checks.positive(every=every, back=back)
    if back < every:
        raise ValueError(
            f"`back` must be at least `every` = {every}, or losses are lost, got {back}"
        )
    sequence = arrange(
        cell, xs, lengths=lengths, mask=mask, reset=reset, time_axis=time_axis
    )
    if not cell.causal:
        raise ValueError(
            f"truncated backpropagation needs a cell that can step, not {cell}"
        )
    if not isinstance(burn_in, int):
        raise TypeError(f"`burn_in` must be an integer, got {burn_in!r}")
    if not 0 <= burn_in <= sequence.steps:
        raise ValueError(
            f"`burn_in` must lie in [0, T] = [0, {sequence.steps}], got {burn_in}"
        )
    targets = arrange_targets(targets, sequence, time_axis)
    options = (cell, loss, sequence.batch_shape, every, back, burn_in, method)
    origin = Origin(params, carry, key, start, context)
    last, losses = _losses(options, origin, sequence.arrays, targets)
    mask = sequence.arrays.mask
    return reduce(
        losses, mask if mask is None else mask[burn_in:], reduction=reduction
    ), last


@functools.partial(jax.jit, static_argnums=0)
def _losses(
    options: tuple, origin: Origin, arrays: Arrays, targets: PyTree
) -> tuple[PyTree, Array]:
    cell, loss, batch_shape, every, back, burn_in, method = options
    run = Run(batch_shape, method=method).with_arrays(arrays, origin.key, origin.start)
    ready, carry = origin.begin(cell, arrays.xs, batch_shape)
    if burn_in:
        warm = run.over(_steps(run.flags, 0, burn_in))
        carry, _ = warm(cell, ready, carry, _steps(arrays.xs, 0, burn_in))
        carry = jax.lax.stop_gradient(carry)
    arrays, targets = jax.tree.map(lambda a: a[burn_in:], (arrays, targets))
    steps = jax.tree.leaves(arrays.xs)[0].shape[0]
    # Padded at both ends, every window has the same shape: the steps [j k1, j k1 + k2).
    before, after = back - every, -steps % every if steps else every
    arrays, targets = _padded(arrays, targets, batch_shape, before, after)
    run = run.with_arrays(arrays, origin.key, origin.start + burn_in - before)

    def window(state: tuple, j: Array) -> tuple[tuple, Array]:
        stopped, _ = state
        # A window that reaches the beginning goes back into the state given.
        here = select(j * every <= before, carry, stopped)
        here, ys = part(here, j * every, every)
        following = jax.lax.stop_gradient(here)
        if before:
            here, later = part(here, (j + 1) * every, before)
            ys = jax.tree.map(lambda a, b: jnp.concatenate([a, b])[-every:], ys, later)
        labels = _steps(targets, j * every + before, every)
        values = step_losses(loss, ys, labels, (every, *batch_shape))
        return (following, jax.lax.stop_gradient(here)), values

    def part(carry: PyTree, at: Any, size: int) -> tuple[PyTree, PyTree]:
        flags, xs = _steps((run.flags, arrays.xs), at, size)
        return run.over(flags)(cell, ready, carry, xs)

    stopped = jax.lax.stop_gradient(carry)
    windows = jnp.arange((steps + after) // every)
    body = jax.checkpoint(window, prevent_cse=False)  # one window's inside at a time
    (_, last), losses = jax.lax.scan(body, (stopped, stopped), windows)
    return last, losses.reshape(-1, *losses.shape[2:])[:steps]


def _steps(tree: PyTree, at: Any, size: int) -> PyTree:
    return jax.tree.map(lambda a: jax.lax.dynamic_slice_in_dim(a, at, size), tree)


def _padded(
    arrays: Arrays, targets: PyTree, batch_shape: tuple, before: int, after: int
) -> tuple[Arrays, PyTree]:
    """The same sequence with padded steps at both ends."""
    if before == after == 0:
        return arrays, targets
    steps = jax.tree.leaves(arrays.xs)[0].shape[0]
    if arrays.mask is None:
        arrays = arrays._replace(mask=jnp.ones((steps, *batch_shape), bool))
    widths = lambda a: [(before, after)] + [(0, 0)] * (a.ndim - 1)
    return jax.tree.map(lambda a: jnp.pad(a, widths(a)), (arrays, targets))
