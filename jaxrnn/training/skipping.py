"""Steps whose gradient is no number, left out and counted."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxrnn.typing import Array, PyTree


class SkipState(NamedTuple):
    """The state of `skip_nonfinite`.

    Attributes:
      inner: the state of the optimizer, as the last good step left it.
      skipped: int32 scalar, the steps left out so far.
    """

    inner: PyTree
    skipped: Array


def skip_nonfinite(
    optimizer: optax.GradientTransformation,
) -> optax.GradientTransformationExtraArgs:
    """An optimizer that does nothing where the gradient, or the loss, is not finite.

    ::

      if all elements of the gradient are finite:      # and the loss, if it is given
          updates, inner = optimizer.update(gradient, inner, params)
      else:
          updates, skipped = 0, skipped + 1

    So a single inf or NaN spoils neither parameters nor the optimizer's averages. It
    belongs around all of the optimizer, clipping included. `train_step` passes the
    loss, keeps the carry of such a step out, and reports `skipped`; `fit` then goes on.

    Args:
      optimizer: of optax.

    Returns:
      The optimizer; `update` takes the loss as `value=`, and hands it on.

    Example:
      >>> optimizer = skip_nonfinite(optax.sgd(1.0))
      >>> state = optimizer.init(jnp.zeros(2))
      >>> for gradient in (jnp.array([1.0, 2.0]), jnp.array([1.0, jnp.inf])):
      ...     updates, state = optimizer.update(gradient, state)
      ...     print(updates.tolist(), int(state.skipped))
      [-1.0, -2.0] 0
      [0.0, 0.0] 1
    """
    optimizer = optax.with_extra_args_support(optimizer)

    def init(params: PyTree) -> SkipState:
        return SkipState(optimizer.init(params), jnp.zeros((), jnp.int32))

    def update(
        updates: PyTree,
        state: SkipState,
        params: PyTree = None,
        *,
        value: Array | None = None,
        **rest: Any,
    ) -> tuple[PyTree, SkipState]:
        checked = [jnp.all(jnp.isfinite(a)) for a in jax.tree.leaves((updates, value))]
        finite = jnp.all(jnp.array(checked))
        rest |= {} if value is None else {"value": value}
        new, inner = optimizer.update(updates, state.inner, params, **rest)
        pick = lambda a, b: jax.tree.map(lambda x, y: jnp.where(finite, x, y), a, b)
        skipped = state.skipped + (~finite).astype(jnp.int32)
        nothing = jax.tree.map(jnp.zeros_like, new)
        return pick(new, nothing), SkipState(pick(inner, state.inner), skipped)

    return optax.GradientTransformationExtraArgs(init, update)


def skipped_steps(opt_state: PyTree) -> Array | None:
    """The steps that an optimizer left out so far, an int32 scalar; None if it is not
    one of `skip_nonfinite`.

    Args:
      opt_state: of the optimizer, which may be a part of another.
    """
    is_ours = lambda node: isinstance(node, SkipState)
    nodes = filter(is_ours, jax.tree.leaves(opt_state, is_leaf=is_ours))
    return next((node.skipped for node in nodes), None)
