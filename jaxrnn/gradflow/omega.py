"""The penalty on error signals that change their size from step to step."""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.cell import Cell
from jaxrnn.gradflow.tapped import Tapped, moving, replaced
from jaxrnn.typing import Array, Key, PyTree
from jaxrnn.unroll.arrange import arrange
from jaxrnn.unroll.masks import spread, zero_padding
from jaxrnn.unroll.origin import Origin
from jaxrnn.unroll.run import Run

Loss = Callable[[PyTree], Array]


def omega(
    cell: Cell,
    params: PyTree,
    xs: PyTree,
    loss: Loss,
    carry: PyTree = None,
    *,
    lengths: Array | None = None,
    mask: Array | None = None,
    reset: Array | None = None,
    key: Key | None = None,
    start: int | Array = 0,
    context: PyTree = None,
    time_axis: int = 0,
    gradient: str = "immediate",
    of: Callable[[PyTree], PyTree] | None = None,
) -> Array:
    """Omega: how far an error signal is from keeping its norm on its way back.

    ::

      Omega = sum_t (||dL/dc_t dc_t/dc_{t-1}|| / ||dL/dc_t|| - 1)^2

    Times a factor it is added to a loss. c_t is the whole carry after step t, that of
    all layers as one vector (`of` picks a part), and dL/dc_t counts what it does at
    step t and at all later ones. The sum goes over the real steps of a row, beginning
    with the one that reads the initial carry; the result is its mean over rows. A step
    that no error comes to, dL/dc_t = 0, adds nothing.

    It costs one more gradient of the loss, and one more step of the cell for all t at
    once: call it under `jax.jit`.

    Args:
      cell: any cell that can step and whose carry has floating leaves.
      params: what `cell.init` returned.
      xs: inputs `[T, *batch, ...]`.
      loss: the scalar loss of the outputs `ys` that `unroll` gives. To be a mean over
        rows or their sum is the same to Omega.
      carry: the state to start from; None: the cell's initial carry.
      lengths, mask, reset, key, start, context, time_axis: as for `unroll`. Under the
        `key` of the loss the same numbers are drawn.
      gradient: "immediate" differentiates dc_t/dc_{t-1} alone, with dL/dc_t and c_{t-1}
        held fixed, as the paper does. "full" differentiates all of it, at more than
        twice the price.
      of: a function of the carry that picks the part whose norms are compared, such as
        `cell.hidden`; the other parts are held fixed. None: the whole carry.

    Returns:
      A scalar.

    Raises:
      ValueError, TypeError: for arguments that do not fit, by name.

    References:
      Pascanu, Mikolov, Bengio 2013, equations 9 and 10; lecture 003.

    Example:
      A state that halves from step to step loses half of every signal, Omega is 7/4:

      >>> import jaxrnn as jr
      >>> cell = jr.Elman(
      ...     4, activation="identity", recurrent_init=jr.initializers.Identity(0.5)
      ... )
      >>> params = cell.init(jax.random.key(0), 3)
      >>> last = lambda ys: jnp.sum(ys[-1] ** 2)
      >>> float(omega(cell, params, jnp.ones((7, 2, 3)), last))  # 7 (0.5 - 1)^2
      1.75
    """
    checks.one_of(("immediate", "full"), gradient=gradient)
    sequence = arrange(
        cell, xs, lengths=lengths, mask=mask, reset=reset, time_axis=time_axis
    )
    if not cell.causal:
        raise ValueError(f"`cell` must be one that can step, got {cell}")
    run = Run(sequence.batch_shape).with_arrays(sequence.arrays, key, start)
    xs = zero_padding(run.mask, sequence.arrays.xs)
    origin = Origin(params, carry, key, start, context)
    ready, carry = origin.begin(cell, xs, sequence.batch_shape)
    if not moving(carry):
        raise ValueError(f"`cell` must have a carry of floating numbers, got {cell}")
    fixed = jax.lax.stop_gradient if gradient == "immediate" else lambda tree: tree
    scalar = lambda ys: _scalar(loss(sequence.like_input(ys)))
    found = _errors(run, cell, *fixed((ready, carry, xs)), loss=scalar)
    errors, before = fixed(found)
    part = (lambda error, c: error) if of is None else functools.partial(_part, of)
    rank = 1 + len(run.batch_shape)
    errors = _scaled(jax.vmap(part)(errors, before), rank)

    def back(error: list[Array], c: PyTree, z: PyTree) -> list[Array]:
        step = lambda leaves: moving(cell.recur(ready, replaced(c, leaves), z)[0])
        (sent,) = jax.vjp(step, moving(c))[1](error)
        return part(sent, c)

    sent = jax.vmap(back)(errors, before, run.project(cell, ready, fixed(xs)))
    ratios = _ratios(errors, sent, rank)
    return jnp.sum((ratios - 1) ** 2) / max(1, math.prod(run.batch_shape))


def _errors(
    run: Run, cell: Cell, ready: PyTree, carry: PyTree, xs: PyTree, *, loss: Loss
) -> tuple[list[Array], PyTree]:
    """dL/dc_t and c_{t-1} for every t; both zero where a step is none."""
    steps = jax.tree.leaves(xs)[0].shape[0]
    taps = [jnp.zeros((steps, *leaf.shape), leaf.dtype) for leaf in moving(carry)]

    def value(taps: list[Array]) -> tuple[Array, PyTree]:
        _, (ys, before) = run(Tapped(cell), ready, carry, (xs, taps))
        return loss(ys), before

    return jax.grad(value, has_aux=True)(taps)


def _scalar(value: Array) -> Array:
    if jnp.shape(value) != ():
        raise ValueError(f"`loss` must give a scalar, got shape {jnp.shape(value)}")
    return value


def _part(of: Callable[[PyTree], PyTree], error: list[Array], c: PyTree) -> list[Array]:
    """The error in the part of the carry that is picked, zero in the others."""
    picked, back = jax.vjp(of, replaced(c, error))
    return moving(back(picked)[0])


def _scaled(errors: list[Array], rank: int) -> list[Array]:
    """Errors of about 1, each step's and row's: the squares of 1e-30 would be 0."""
    trailing = lambda a: tuple(range(rank, a.ndim))
    sizes = [jnp.max(jnp.abs(a), axis=trailing(a), initial=0) for a in errors]
    largest = jax.lax.stop_gradient(functools.reduce(jnp.maximum, sizes))
    scale = jnp.where(largest == 0, 1, largest)
    return [a / spread(scale, a).astype(a.dtype) for a in errors]


def _ratios(errors: list[Array], sent: list[Array], rank: int) -> Array:
    """||sent|| / ||error|| of every step and row; 1 where there is no error."""

    def squares(leaves: list[Array]) -> Array:
        sizes = [jnp.real(a * jnp.conj(a)) for a in leaves]
        sums = [jnp.sum(a, axis=tuple(range(rank, a.ndim))) for a in sizes]
        return functools.reduce(jnp.add, sums)

    known, back = squares(errors), squares(sent)
    none, lost = known == 0, back == 0
    # Roots and quotients where they have slopes, else NaN would reach the gradient.
    ratio = jnp.sqrt(jnp.where(none | lost, 1, back) / jnp.where(none, 1, known))
    return jnp.where(none, 1, jnp.where(lost, 0, ratio))
