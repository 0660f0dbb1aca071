"""Intermediate results that stand in memory of their own."""

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxrnn.typing import Array


def standing(x: Array) -> Array:
    """`x` itself, computed once and written down before anything reads it.

    XLA may write arithmetic into the loop of what reads its result. On a CPU a loop
    that reads many pieces at once, some of them slices of a longer stack, is not
    vectorised any more; in two loops each is. Only a branch keeps XLA from making one
    of them again, so there is one, and both of its ways lead to `x`: that every number
    is max(x, -infinity) is nothing that a compiler looks for.

    Derivatives pass as if nothing were here.

    Example:
      >>> standing(jnp.ones(2)).tolist()
      [1.0, 1.0]
    """
    return standing_p.bind(x)


def _branch(x: Array) -> Array:
    if x.size == 0:
        return x
    bound = lambda x: jax.lax.max(x, jnp.full_like(x, -jnp.inf))
    return jax.lax.cond(jnp.ravel(x)[0] < 0, bound, lambda x: x, x)


standing_p = Primitive("standing")
standing_p.def_impl(lambda x: x)
standing_p.def_abstract_eval(lambda x: ShapedArray(x.shape, x.dtype))
ad.primitive_jvps[standing_p] = lambda primals, tangents: (
    standing(*primals),
    *tangents,
)
batching.primitive_batchers[standing_p] = lambda args, dims: (standing(*args), *dims)
mlir.register_lowering(standing_p, lambda context, x: [x])
mlir.register_lowering(
    standing_p, mlir.lower_fun(_branch, multiple_results=False), platform="cpu"
)
