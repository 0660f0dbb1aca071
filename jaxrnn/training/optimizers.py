"""Optimizers and schedules that optax lacks in the form that is needed here."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxrnn.typing import Array, PyTree


class CosineState(NamedTuple):
    """The steps so far, and those of the whole run: data, so that no number of steps
    needs a compilation of its own."""

    step: Array
    total: Array


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
      >>> schedule = cosine_decay(4)
      >>> state = schedule.init(None)
      >>> factors = []
      >>> for _ in range(5):
      ...     update, state = schedule.update(1.0, state)
      ...     factors.append(round(float(update), 2))
      >>> factors
      [1.0, 0.85, 0.5, 0.15, 0.0]
    """

    def init(params: PyTree) -> CosineState:
        return CosineState(jnp.zeros((), jnp.int32), jnp.array(total, jnp.int32))

    def update(
        updates: PyTree, state: CosineState, params: PyTree = None
    ) -> tuple[PyTree, CosineState]:
        t = state.step.astype(jnp.float32)
        done = jnp.minimum(t / state.total.astype(jnp.float32), 1)
        factor = jnp.minimum((t + 1) / (warmup + 1), (1 + jnp.cos(jnp.pi * done)) / 2)
        scaled = jax.tree.map(lambda u: u * factor.astype(jnp.result_type(u)), updates)
        return scaled, CosineState(state.step + 1, state.total)

    return optax.GradientTransformation(init, update)


def adam(
    learning_rate: float, *, clip: float, total: int, warmup: int = 0
) -> optax.GradientTransformation:
    """Adam behind clipping by global norm, with warm-up and cosine decay.

    Args:
      learning_rate: at its highest.
      clip: the largest global norm that a gradient keeps.
      total: the steps of the whole run.
      warmup: steps until the learning rate is at its highest.

    Returns:
      The optimizer.

    References:
      Pascanu, Mikolov, Bengio 2013 (clipping); Kingma, Ba 2015.
    """
    return optax.chain(
        optax.clip_by_global_norm(clip),
        optax.adam(learning_rate),
        cosine_decay(total, warmup=warmup),
    )


def adagrad(learning_rate: float, *, clip: float) -> optax.GradientTransformation:
    """Adagrad as min-char-rnn has it, behind clipping by value.

    ::

      d = clip(d, -clip, clip)
      memory += d * d
      p -= learning_rate * d / sqrt(memory + 1e-8)

    Args:
      learning_rate: of every element at its first gradient.
      clip: the largest size that an element of the gradient keeps.

    Returns:
      The optimizer.

    References:
      Duchi, Hazan, Singer 2011; Karpathy 2015, min-char-rnn.
    """
    return optax.chain(
        optax.clip(clip),
        optax.adagrad(learning_rate, initial_accumulator_value=0.0, eps=1e-8),
    )
