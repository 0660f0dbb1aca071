"""Learning rates that change with the progress of a run.

Optax's schedules are functions of the step alone, so the length of a run is a part of
the program. Here it is data, and no number of steps needs a compilation of its own.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxrnn import checks
from jaxrnn.typing import Array, PyTree


class ProgressState(NamedTuple):
    """The steps so far, and those of the whole run."""

    step: Array
    total: Array


def scale_by_progress(
    factor: Callable[[Array], Array], total: int, *, warmup: int = 0
) -> optax.GradientTransformation:
    """Scales updates by a function of how much of the run is done.

    ::

      update_t *= min((t + 1) / (warmup + 1), factor(min(t / total, 1)))

    Args:
      factor: of the part that is done, a float32 scalar in [0, 1].
      total: the steps of the whole run.
      warmup: steps until the factor is first its own, while Adam's averages fill.

    Returns:
      A transformation, to be chained behind the optimizer.

    Example:
      Linearly down to 0:

      >>> factors(scale_by_progress(lambda done: 1 - done, 4, warmup=1), 6)
      [0.5, 0.75, 0.5, 0.25, 0.0, 0.0]
    """

    def init(params: PyTree) -> ProgressState:
        return ProgressState(jnp.zeros((), jnp.int32), jnp.array(total, jnp.int32))

    def update(
        updates: PyTree, state: ProgressState, params: PyTree = None
    ) -> tuple[PyTree, ProgressState]:
        t = state.step.astype(jnp.float32)
        done = jnp.minimum(t / state.total.astype(jnp.float32), 1)
        scale = jnp.minimum((t + 1) / (warmup + 1), factor(done))
        scaled = jax.tree.map(lambda u: u * scale.astype(jnp.result_type(u)), updates)
        return scaled, ProgressState(state.step + 1, state.total)

    return optax.GradientTransformation(init, update)


def cosine_decay(total: int, *, warmup: int = 0) -> optax.GradientTransformation:
    """Scales updates up to 1 and then down to 0 along a cosine.

    ::

      update_t *= min((t + 1) / (warmup + 1), (1 + cos(pi t / total)) / 2)

    Args:
      total: the steps of the whole run; from there on updates are zero.
      warmup: steps until the factor is first 1, while Adam's averages fill.

    Returns:
      A transformation, to be chained behind the optimizer.

    References:
      Loshchilov, Hutter 2017 (SGDR).

    Example:
      >>> factors(cosine_decay(4), 5)
      [1.0, 0.85, 0.5, 0.15, 0.0]
    """
    cosine = lambda done: (1 + jnp.cos(jnp.pi * done)) / 2
    return scale_by_progress(cosine, total, warmup=warmup)


def step_decay(
    total: int, *, epochs: int, constant: int, factor: float, warmup: int = 0
) -> optax.GradientTransformation:
    """Constant for some epochs, and then smaller by a factor in each.

    ::

      update_t *= min((t + 1) / (warmup + 1), factor^max(e + 1 - constant, 0))
      in the epoch e = floor(epochs * t / total) = 0, 1, 2, ...

    Zaremba's medium LSTM: 39 epochs, 6 constant, factor 1 / 1.2; the large one: 55, 14
    and 1 / 1.15.

    Args:
      total: the steps of the whole run.
      epochs: the equal parts that it has.
      constant: the number of the first ones, without decay.
      factor: in (0, 1].
      warmup: steps until the factor is first 1.

    Returns:
      A transformation, to be chained behind the optimizer.

    Raises:
      ValueError, TypeError: for a value out of range.

    References:
      Zaremba, Sutskever, Vinyals 2014, section 4.1.

    Example:
      >>> factors(step_decay(10, epochs=5, constant=2, factor=0.5), 10)
      [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.12, 0.12]
    """
    checks.positive(epochs=epochs, constant=constant)
    if not 0 < factor <= 1:
        raise ValueError(f"`factor` must lie in (0, 1], got {factor}")

    def decayed(done: Array) -> Array:
        # A little later than done, which rounding may have put before an epoch's first.
        epoch = jnp.minimum(jnp.floor(epochs * (done + 2e-7)), epochs - 1)
        return factor ** jnp.maximum(epoch + 1 - constant, 0)

    return scale_by_progress(decayed, total, warmup=warmup)


def factors(schedule: optax.GradientTransformation, steps: int) -> list[float]:
    """What a schedule scales updates by, to look at or to plot.

    Args:
      schedule: one of these, or any transformation that scales.
      steps: the number of the first ones.

    Returns:
      A number a step, rounded to two decimals.
    """
    state, found = schedule.init(None), []
    for _ in range(steps):
        update, state = schedule.update(jnp.float32(1.0), state)
        found.append(round(float(update), 2))
    return found
