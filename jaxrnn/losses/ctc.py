"""Labels without times: connectionist temporal classification."""

import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import DTypeLike

from jaxrnn import checks
from jaxrnn.losses.lengths import real
from jaxrnn.product import gate_dtype
from jaxrnn.typing import Array, Shape


class CTC(NamedTuple):
    """What `ctc_loss` returns.

    Attributes:
      losses: `[*batch]`, of every row, 0 where it is not feasible.
      feasible: `[*batch]`, whether the row has steps enough for its labels.
    """

    losses: Array
    feasible: Array


def ctc_loss(
    logits: Array,
    labels: Array,
    *,
    lengths: Array | None = None,
    label_lengths: Array | None = None,
    blank: int = 0,
) -> CTC:
    """How surprising the labels of each row are, whenever they were said.

    ::

      loss = -log sum of prod_t softmax(logits[t])[path[t]] over all paths that are
             `labels` once repeats are merged and then blanks dropped

    A row needs one step for each label, and one more between two that are equal. One
    that has fewer is impossible: its loss and its gradient are 0, and `feasible` leaves
    it out of a mean and counts it::

      losses, feasible = ctc_loss(logits, labels, ...)
      loss, left_out = reduce(losses, feasible), jnp.sum(~feasible)

    Args:
      logits: `[T, *batch, V]`, floating: log probabilities of V classes, one of them
        the blank. At padded steps they may hold anything.
      labels: `[N, *batch]`, integers in [0, V) without the blank; at padded places they
        may hold anything. A row with another label is an error; where values cannot be
        looked at (under jit) it is not feasible.
      lengths: `[*batch]`, integers in [0, T]: real steps; None: all.
      label_lengths: `[*batch]`, integers in [0, N]: real labels; None: all. A row
        without labels is one of blanks.
      blank: the class that stands for no label.

    Returns:
      `(losses, feasible)`; losses in float32 (float64 for float64).

    Raises:
      TypeError: if `logits` are not floating, or the others not integers.
      ValueError: if the shapes do not fit, or a value is out of range.

    References:
      Graves, Fernandez, Gomez, Schmidhuber 2006.

    Example:
      Three steps say "1 2" as 112, 122, 12_, 1_2 and _12; "1 1 1" takes five steps.

      >>> labels = jnp.array([[1, 1], [2, 1], [0, 1]])  # [N, B]
      >>> logits = jnp.zeros((3, 2, 3))  # [T, B, V]: every path has probability 1 / 27
      >>> losses, feasible = ctc_loss(logits, labels, label_lengths=jnp.array([2, 3]))
      >>> round(27 * float(jnp.exp(-losses[0]))), feasible.tolist()
      (5, [True, False])
    """
    logits, labels = jnp.asarray(logits), jnp.asarray(labels)
    _check(logits, labels, blank)
    known = real("lengths", lengths, logits.shape[:-1])
    wanted = real("label_lengths", label_lengths, labels.shape)
    allowed = (labels >= 0) & (labels < logits.shape[-1]) & (labels != blank)
    if checks.concrete(wanted, allowed) and not np.all(allowed | ~wanted):
        raise ValueError(
            f"`labels` must lie in [0, V) = [0, {logits.shape[-1]}) without the blank, "
            f"{blank}, got {np.extract(wanted & ~allowed, labels)[0]}"
        )
    repeats = wanted[1:] & (labels[1:] == labels[:-1])
    needed = jnp.sum(wanted, axis=0) + jnp.sum(repeats, axis=0)
    feasible = jnp.all(allowed | ~wanted, axis=0) & (needed <= jnp.sum(known, axis=0))
    # Zeros in place of junk before the loss: after it, 0 * NaN is NaN in the gradient.
    logits = logits.astype(gate_dtype(logits.dtype))
    logits = jnp.where((known & feasible)[..., None], logits, 0)
    labels = jnp.where(wanted & allowed, labels, blank)
    losses = optax.ctc_loss(
        *_for_optax(logits, known, logits.dtype),
        *_for_optax(labels, wanted, logits.dtype),
        blank_id=blank,
    )
    losses = losses.reshape(feasible.shape).astype(logits.dtype)
    return CTC(jnp.where(feasible, losses, 0), feasible)


def _for_optax(array: Array, real: Array, dtype: DTypeLike) -> tuple[Array, Array]:
    """`[rows, steps, ...]` and 1.0 where padding is, at least one step of it all."""
    missing = max(1 - len(array), 0)

    def rows_first(a: Array, rest: Shape) -> Array:
        a = jnp.pad(a, [(0, missing), *[(0, 0)] * (a.ndim - 1)])
        return jnp.swapaxes(a.reshape(len(a), math.prod(real.shape[1:]), *rest), 0, 1)

    array = rows_first(array, array.shape[real.ndim :])
    return array, (~rows_first(real, ())).astype(dtype)


def _check(logits: Array, labels: Array, blank: int) -> None:
    if not jnp.issubdtype(logits.dtype, jnp.floating):
        raise TypeError(f"`logits` must be floating, got {logits.dtype}")
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"`labels` must be integers, got {labels.dtype}")
    if logits.ndim < 2 or logits.shape[-1] == 0:
        raise ValueError(
            f"`logits` must have shape [T, *batch, V], V at least 1, got {logits.shape}"
        )
    if labels.ndim == 0 or labels.shape[1:] != logits.shape[1:-1]:
        raise ValueError(
            "`labels` must have shape [N, *batch], of the batch of `logits`, "
            f"{logits.shape[1:-1]}, got {labels.shape}"
        )
    if not 0 <= blank < logits.shape[-1]:
        raise ValueError(
            f"`blank` must lie in [0, V) = [0, {logits.shape[-1]}), got {blank}"
        )
