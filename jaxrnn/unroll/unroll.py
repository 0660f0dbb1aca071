"""A cell through time."""

import functools
from collections.abc import Callable
from typing import Any

import jax

from jaxrnn.cell import Cell
from jaxrnn.typing import Array, Key, PyTree
from jaxrnn.unroll.arrange import Arrays, arrange
from jaxrnn.unroll.chunks import chunk_size
from jaxrnn.unroll.leaves import history_of, last_of
from jaxrnn.unroll.method import check_method
from jaxrnn.unroll.origin import Origin
from jaxrnn.unroll.run import Run


def unroll(
    cell: Cell,
    params: PyTree,
    xs: PyTree,
    carry: PyTree = None,
    *,
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
    collect: Callable[[PyTree], PyTree] | None = None,
) -> Any:
    """Run a cell through time. It gives what this loop gives, compiled once a shape::

      ready = cell.prepare(params, context=context, key=sequence_key(key))
      carry = cell.initial_carry(ready, batch_shape)
      for t in range(T):                                # downwards if reverse
          if reset[t]: carry = cell.initial_carry(ready, batch_shape)
          if mask[t]:                                   # t < lengths
              carry, ys[t] = cell.step(ready, carry, xs[t], key=fold_in(key, start + t))
          else:
              ys[t] = 0                                 # and the carry is held

    Each row of a batch has its own flags. What stands at padded steps, NaN included,
    reaches neither values nor gradients. Outputs are in input order in both directions.

    Args:
      cell: any cell.
      params: what `cell.init` returned.
      xs: inputs `[T, *batch, input_size]` (`[T, *batch]` for token ids), or a tree of
        them; no batch axis, one or several.
      carry: the state to start from, as an earlier call returned it; None: the cell's
        initial carry.
      lengths: `[*batch]` integers in [0, T]: the steps of each row that are real, the
        first ones. A row of length 0 ends in the carry that it began with.
      mask: `[T, *batch]` boolean, True = real: padding anywhere, instead of `lengths`.
      reset: `[T, *batch]` boolean, True at the first step of a segment in input order:
        the cell's initial carry takes the place of the carry, at padded steps as well.
        Going backwards it acts where a segment ends, so that none leaks into another.
      reverse: from each row's last real step to its first.
      key: randomness, for training; None means evaluation.
      start: the number of the first step, where a key is used and the sequence began in
        an earlier call: step t draws from `fold_in(key, start + t)`.
      context: what `cell.prepare` may look at: a memory to attend to.
      time_axis: 0 for time-major, 1 for batch-major `[B, T, ...]`: `xs`, `mask`,
        `reset`, `ys` and what is collected alike.
      checkpoint: bounds the memory of backpropagation: a number of steps, or "sqrt".
        The backward pass then keeps one carry per so many steps, and computes each
        stretch again; about a third more time.
      method: how linear cells (`LinearCell`) run; the numbers are the same. "scan" goes
        step by step, as other cells do (unless they have a parallel road of their own),
        and linear ones that a wrapper changes from step to step. "associative" combines
        their steps in log2(T) rounds. "auto" does so on accelerators, and scans on a
        CPU, where that measured faster.
      collect: a function of the carry; its values after every step are stacked.

    Returns:
      `(carry, ys)`: the carry after each row's own last real step, and the outputs
      `[T, *batch, ...]`; with `collect`, `(carry, ys, collected)`.

    Raises:
      ValueError, TypeError: for shapes, dtypes and values that do not fit, naming the
        argument. Under jit, where values cannot be looked at, lengths are clipped and
        unknown ids give zeros.

    Example:
      >>> import jax.numpy as jnp, jaxrnn as jr
      >>> cell = jr.GRU(4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> xs = jax.random.normal(jax.random.key(1), (7, 2, 3))
      >>> carry, ys = jr.unroll(cell, params, xs, lengths=jnp.array([7, 2]))
      >>> bool((ys[2:, 1] == 0).all()), bool((carry[1] == ys[1, 1]).all())
      (True, True)
    """
    sequence = arrange(
        cell, xs, lengths=lengths, mask=mask, reset=reset, time_axis=time_axis
    )
    check_method(method, cell)
    size = chunk_size(checkpoint, sequence.steps)
    options = (cell, sequence.batch_shape, bool(reverse), size, method, collect)
    origin = Origin(params, carry, key, start, context)
    last, ys, collected = _compiled(options, origin, sequence.arrays)
    ys, collected = sequence.like_input((ys, collected))
    return (last, ys) if collect is None else (last, ys, collected)


@functools.partial(jax.jit, static_argnums=0)
def _compiled(
    options: tuple, origin: Origin, arrays: Arrays
) -> tuple[PyTree, PyTree, PyTree]:
    cell, batch_shape, backwards, size, method, collect = options
    recording = collect is not None
    run = Run(
        batch_shape,
        backwards=backwards,
        checkpoint=size,
        method=method,
        recording=recording,
    )
    run = run.with_arrays(arrays, origin.key, origin.start)
    ready, carry = origin.begin(cell, arrays.xs, batch_shape)
    carry, ys = run(cell, ready, carry, arrays.xs)
    collected = None
    if recording:
        steps = jax.tree.leaves(arrays.xs)[0].shape[0]  # a carry may have no leaf
        collected = jax.vmap(collect, axis_size=steps)(history_of(carry))
    return last_of(carry), ys, collected
