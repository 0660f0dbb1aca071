"""One update of the parameters: a pure function of a state and a batch."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxrnn.training.clipping import global_norm
from jaxrnn.training.skipping import skipped_steps
from jaxrnn.typing import Array, Key, PyTree

Metrics = dict[str, Array]
Objective = Callable[[PyTree, Any, PyTree, Key], tuple[Array, PyTree]]
TrainStep = Callable[["TrainState", Any], tuple["TrainState", Metrics]]


class TrainState(NamedTuple):
    """All that training goes on from.

    Attributes:
      params: of the model.
      opt_state: of the optimizer.
      carry: what the model left the last batch with; None where batches do not go on
        from one another.
      key: of the whole run; step s draws from `fold_in(key, s)`.
      step: int32 scalar, the updates so far.
    """

    params: PyTree
    opt_state: PyTree
    carry: PyTree
    key: Key
    step: Array


def init_state(
    params: PyTree,
    optimizer: optax.GradientTransformation,
    key: Key,
    carry: PyTree = None,
) -> TrainState:
    """The state before the first step, in arrays of its own.

    Args:
      params: of the model; they are copied, for a step takes over its state's arrays.
      optimizer: of optax.
      key: randomness of the run.
      carry: the state of the model that every epoch starts from, if the batches of an
        epoch go on from one another.

    Returns:
      The state.
    """
    params, carry, key = jax.tree.map(jnp.copy, (params, carry, key))
    opt_state = jax.tree.map(jnp.copy, optimizer.init(params))
    return TrainState(params, opt_state, carry, key, jnp.zeros((), jnp.int32))


def train_step(
    objective: Objective, optimizer: optax.GradientTransformation
) -> TrainStep:
    """One jitted update, `(state, batch) -> (state, metrics)`.

    ::

      key = fold_in(state.key, state.step)
      (loss, carry), gradient = value_and_grad(objective)(params, batch, carry, key)
      updates, opt_state = optimizer.update(gradient, opt_state, params, value=loss)
      params = params + updates

    With a carry this is truncated backpropagation through time: the state goes on from
    window to window, and as it comes in as an argument, no gradient leaves the window.
    The same key and step give the same numbers, in a resumed run as well.

    Args:
      objective: `(params, batch, carry, key) -> (loss, carry)`: the loss is a scalar;
        the carry is None where there is none.
      optimizer: of optax; one that wants it, such as `reduce_on_plateau`, gets the
        loss as `value`. A step that `skip_nonfinite` leaves out changes no carry.

    Returns:
      The function. It takes over the arrays of the state that it is given, which must
      not be used again. Its metrics are scalars on the device: `loss` and
      `gradient_norm`, before any clipping; with `skip_nonfinite` also `skipped`, 1 for
      a step left out.

    References:
      Williams, Peng 1990; lectures 001 and 004.

    Example:
      >>> import jaxrnn as jr
      >>> model = jr.Stack(jr.Embed(5, 3), jr.GRU(4), jr.Dense(5))
      >>> optimizer = optax.adam(0.1)
      >>> def objective(params, batch, carry, key):
      ...     carry, logits = jr.unroll(model, params, batch[:-1], carry, key=key)
      ...     losses = optax.softmax_cross_entropy_with_integer_labels(
      ...         logits, batch[1:]
      ...     )
      ...     return losses.mean(), carry
      >>> params = model.init(jax.random.key(0))
      >>> carry = model.initial_carry(params, (2,))
      >>> state = init_state(params, optimizer, jax.random.key(1), carry)
      >>> step = train_step(objective, optimizer)
      >>> text = jnp.array([[0, 3], [1, 2], [4, 0], [0, 3]])  # [T + 1, B]
      >>> for _ in range(20):
      ...     state, metrics = step(state, text)
      >>> int(state.step), float(metrics["loss"]) < 0.5
      (20, True)
    """

    optimizer = optax.with_extra_args_support(optimizer)

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state: TrainState, batch: Any) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(state.key, state.step)
        (loss, carry), gradient = jax.value_and_grad(objective, has_aux=True)(
            state.params, batch, state.carry, key
        )
        updates, opt_state = optimizer.update(
            gradient, state.opt_state, state.params, value=loss
        )
        params = optax.apply_updates(state.params, updates)
        metrics = {"loss": loss, "gradient_norm": global_norm(gradient)}
        before, after = map(skipped_steps, (state.opt_state, opt_state))
        if before is not None and after is not None:
            metrics["skipped"] = after - before
            pick = lambda new, old: jnp.where(after == before, new, old)
            carry = jax.tree.map(pick, carry, state.carry)
        return TrainState(params, opt_state, carry, state.key, state.step + 1), metrics

    return step
