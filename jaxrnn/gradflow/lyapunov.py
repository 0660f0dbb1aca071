"""Lyapunov exponents: how fast neighbouring states part, or meet."""

import functools

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.cell import Cell
from jaxrnn.gradflow.flat import apart, flat
from jaxrnn.gradflow.tapped import moving, replaced
from jaxrnn.typing import Array, Key, PyTree
from jaxrnn.unroll.arrange import Arrays, arrange
from jaxrnn.unroll.masks import select, zero_padding
from jaxrnn.unroll.origin import Origin


def lyapunov_exponents(
    cell: Cell,
    params: PyTree,
    xs: PyTree,
    carry: PyTree = None,
    *,
    count: int = 1,
    lengths: Array | None = None,
    mask: Array | None = None,
    reset: Array | None = None,
    key: Key | None = None,
    context: PyTree = None,
    time_axis: int = 0,
) -> Array:
    """The largest finite-time Lyapunov exponents of a cell, along a sequence.

    ::

      Q_t R_t = J_t Q_{t-1}                    # J_t = dc_t/dc_{t-1}, Q_0 drawn
      exponents = mean_t log |diag R_t|        # over the real steps of each row

    Above 0 states that were next to each other part, and gradients explode; below 0
    they meet, and gradients vanish; an exponent of 0 keeps both. Only one J_t Q exists
    at a time, so T may be 100,000.

    Args:
      cell: any that can step; of a `Stack` the whole state counts.
      params: what `cell.init` returned.
      xs: inputs `[T, *batch, ...]`.
      carry: the state to start from; None: the cell's initial carry.
      count: how many exponents, at most the size of the state.
      lengths, mask, reset, key, context, time_axis: as for `unroll`. A reset changes
        the state and no direction.

    Returns:
      `[*batch, count]`, the largest first as T grows; nats a step. -inf where a
      direction is lost, 0 for a row without a real step.

    Raises:
      ValueError, TypeError: for arguments that do not fit, by name.

    References:
      Benettin, Galgani, Giorgilli, Strelcyn 1980; Engelken, Wolf, Abbott 2023.

    Example:
      >>> import jaxrnn as jr
      >>> half = jr.initializers.Identity(0.5)
      >>> cell = jr.Elman(4, activation="identity", recurrent_init=half)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> exponents = jr.gradflow.lyapunov_exponents(cell, params, jnp.ones((7, 2, 3)))
      >>> jnp.exp(exponents).round(3).tolist()
      [[0.5], [0.5]]
    """
    checks.positive(count=count)
    sequence = arrange(
        cell, xs, lengths=lengths, mask=mask, reset=reset, time_axis=time_axis
    )
    if not cell.causal:
        raise ValueError(f"`cell` must be one that can step, got {cell}")
    origin = Origin(params, carry, key, 0, context)
    options = (cell, sequence.batch_shape, count)
    return _compiled(options, origin, sequence.arrays)


@functools.partial(jax.jit, static_argnums=0)
def _compiled(options: tuple, origin: Origin, arrays: Arrays) -> Array:
    cell, batch_shape, count = options
    ready, start = origin.begin(cell, arrays.xs, batch_shape)
    fresh, batch = cell.initial_carry(ready, batch_shape), len(batch_shape)
    if not moving(start):
        raise ValueError(f"`cell` must have a carry of floating numbers, got {cell}")
    rows, n = (state := flat(moving(start), batch)).shape
    if count > n:
        raise ValueError(f"`count` must be at most the state's size {n}, got {count}")

    def step(past: tuple[PyTree, Array, Array], inputs: tuple) -> tuple:
        (carry, Q, total), (t, x, real, begins) = past, inputs
        carry = select(begins, fresh, carry)
        key = None if origin.key is None else jax.random.fold_in(origin.key, t)
        leaves = moving(carry)

        def advance(leaves: list[Array]) -> tuple[list[Array], PyTree]:
            following, _ = cell.step(ready, replaced(carry, leaves), x, key=key)
            return moving(following), following

        _, push, following = jax.linearize(advance, leaves, has_aux=True)
        moved = lambda q: flat(push(apart(q, leaves, batch)), batch)
        turned, R = jnp.linalg.qr(jax.vmap(moved, -1, -1)(Q))
        growth = jnp.log(jnp.abs(jnp.diagonal(R, axis1=-2, axis2=-1)))
        of_rows = None if real is None else real.reshape(rows)
        Q, growth = select(of_rows, (turned, growth), (Q, jnp.zeros_like(growth)))
        return (select(real, following, carry), Q, total + growth), None

    # Drawn, for the axes may be directions that the steps keep apart.
    drawn = jax.random.normal(jax.random.key(0), (n, count), state.dtype)
    Q = jnp.broadcast_to(jnp.linalg.qr(drawn)[0], (rows, n, count))
    steps = jax.tree.leaves(arrays.xs)[0].shape[0]
    times = jnp.arange(steps, dtype=jnp.int32)
    inputs = times, zero_padding(arrays.mask, arrays.xs), arrays.mask, arrays.reset
    begin = start, Q, jnp.zeros((rows, count), state.dtype)
    (_, _, total), _ = jax.lax.scan(step, begin, inputs)
    taken = jnp.full(rows, steps) if arrays.mask is None else arrays.mask.sum(0)
    mean = total / jnp.maximum(taken.reshape(rows, 1), 1).astype(total.dtype)
    return mean.reshape(*batch_shape, count)
