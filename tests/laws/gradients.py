"""Gradients of a case, on the library's road and on a plain one."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxrnn as jr
from laws.case import Case


def plain_scan(cell: jr.Cell, params: Any, xs: Any, carry: Any, **given: Any) -> Any:
    """`jax.lax.scan` over `step`, which knows nothing of how this library scans.

    It takes `context`, and either both `mask` and `reset` or neither.
    """
    flags = given["mask"], given["reset"]
    shapes = [a.shape[1:] for a in jax.tree.leaves(xs)]
    shape = shapes[0] if len(shapes) == 1 else None
    ready = cell.prepare(params, input_shape=shape, context=given["context"])

    def flagged(carry: Any, x: Any, real: Any, fresh: Any) -> tuple[Any, Any]:
        carry = where(fresh, cell.initial_carry(ready, fresh.shape), carry)
        following, y = cell.step(ready, carry, where(real, x))
        return where(real, following, carry), where(real, y)

    def body(carry: Any, now: Any) -> tuple[Any, Any]:
        x, (real, fresh) = now
        if real is None:
            return cell.step(ready, carry, x)
        return flagged(carry, x, real, fresh)

    return jax.lax.scan(body, carry, (xs, flags))


def where(flags: Any, where_true: Any, where_false: Any = None) -> Any:
    """Row by row from one of two trees; None: zeros."""
    if where_false is None:
        where_false = jax.tree.map(jnp.zeros_like, where_true)
    spread = lambda leaf: jnp.expand_dims(flags, range(flags.ndim, leaf.ndim))
    choose = lambda a, b: jnp.where(spread(a), a, b)
    return jax.tree.map(choose, where_true, where_false)


def weigh(tree: Any) -> jax.Array:
    """One number to which every element of every leaf adds in its own, curved way."""
    total = jnp.zeros(())
    for index, leaf in enumerate(jax.tree.leaves(tree)):
        weights = np.random.default_rng(index).normal(size=leaf.shape)
        total += jnp.sum(weights * jnp.sin(leaf.astype(total.dtype)))
    return total


def gradients(
    case: Case,
    run: Callable[..., Any] = jr.unroll,
    static: tuple[tuple[str, Any], ...] = (),
    **given: Any,
) -> tuple[Any, Any]:
    """The weighed result of a run, and its gradients in parameters, inputs and carry.

    Args:
      case: the case.
      run: `jaxrnn.unroll`, or another that is called in the same way.
      static: options that are no arrays.
      **given: options that are.
    """
    moving = (case.params, case.xs, case.carry)
    return _gradients(run, case.cell, static, moving, given | {"context": case.context})


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _gradients(run: Any, cell: jr.Cell, static: Any, moving: Any, given: Any) -> Any:
    def loss(moving: Any) -> jax.Array:
        return weigh(run(cell, *moving, **given, **dict(static)))

    value, grads = jax.value_and_grad(loss, allow_int=True)(moving)
    has_none = lambda leaf: leaf.dtype == jax.dtypes.float0  # token ids
    return value, jax.tree.map(lambda g: None if has_none(g) else g, grads)
