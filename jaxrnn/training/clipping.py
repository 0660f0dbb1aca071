"""Gradients that are too large, made smaller."""

import math

import jax
import jax.numpy as jnp
import optax

from jaxrnn import checks
from jaxrnn.product import gate_dtype
from jaxrnn.typing import Array, PyTree

_DEPTHS = {"norm": 0, "block": 1, "leaf": None}


def clip(limit: float, *, by: str = "norm") -> optax.GradientTransformation:
    """Gradients no larger than a limit.

    ::

      g *= min(1, limit / ||g||)                   # "norm": of all gradients together
      g[k] *= min(1, limit / ||g[k]||)             # "block": of each layer of a Stack,
                                                   # each entry of a dict; "leaf": array
      g[i] = max(-limit, min(g[i], limit))         # "value": element by element

    Norms neither overflow nor underflow, so gradients of 1e30 in float32 keep their
    direction; zeros stay zeros; dtypes stay what they are. What is not finite is not
    mended: `skip_nonfinite` is for that.

    Args:
      limit: the largest norm, or value; positive.
      by: "norm", "block", "leaf" or "value".

    Returns:
      A transformation, to be chained before the optimizer.

    Raises:
      ValueError: if `limit` is not positive and finite, or `by` is none of these.

    References:
      Pascanu, Mikolov, Bengio 2013 (norm); Mikolov 2012, section 3.2.2 (value).

    Example:
      >>> gradient = {"a": jnp.array([3.0, 0.0]), "b": jnp.array([4.0])}
      >>> clipped, _ = clip(1.0).update(gradient, optax.EmptyState())
      >>> {name: leaf.tolist() for name, leaf in clipped.items()}
      {'a': [0.6, 0.0], 'b': [0.8]}
    """
    if not 0 < limit < math.inf:
        raise ValueError(f"`limit` must be positive and finite, got {limit}")
    checks.one_of((*_DEPTHS, "value"), by=by)
    if by == "value":
        return optax.clip(limit)
    depth = _DEPTHS[by]

    def update(
        updates: PyTree, state: optax.EmptyState, params: PyTree = None
    ) -> tuple[PyTree, optax.EmptyState]:
        blocks: dict[object, list[Array]] = {}
        for path, leaf in jax.tree.leaves_with_path(updates):
            blocks.setdefault(path[:depth], []).append(leaf)
        clipped = {name: iter(_clipped(block, limit)) for name, block in blocks.items()}
        one = lambda path, _: next(clipped[path[:depth]])
        return jax.tree.map_with_path(one, updates), state

    return optax.GradientTransformation(optax.init_empty_state, update)


def _clipped(block: list[Array], limit: float) -> list[Array]:
    norm, power = _scaled_norm(block)
    keep = norm < limit * power

    def one(leaf: Array) -> Array:
        small = leaf.astype(norm.dtype) * power
        return jnp.where(keep, leaf, (small / norm * limit).astype(leaf.dtype))

    return [one(leaf) for leaf in block]


def global_norm(tree: PyTree) -> Array:
    """The Euclidean norm of all elements; no square overflows or underflows.

    Args:
      tree: of floating arrays.

    Returns:
      A scalar, float32 (float64 for float64): infinite only if the norm itself is too
      large, or an element infinite.

    Example:
      >>> float(global_norm((jnp.array([3e30]), jnp.array([4e30])))) / 1e30
      5.0
    """
    norm, power = _scaled_norm(jax.tree.leaves(tree))
    return norm / power


def _scaled_norm(leaves: list[Array]) -> tuple[Array, Array]:
    """The norm of the leaves times a power of two that makes the largest element about
    1, and that power.

    Such a product rounds nothing: where nothing overflows, the norm is the one of the
    leaves as they are, bit for bit.
    """
    dtype = gate_dtype(*[leaf.dtype for leaf in leaves]) if leaves else jnp.float32
    wide = [leaf.astype(dtype) for leaf in leaves if leaf.size]
    largest = [jnp.max(jnp.abs(leaf)) for leaf in wide]
    top = jnp.max(jnp.stack(largest)) if largest else jnp.zeros((), dtype)
    _, exponent = jnp.frexp(top)
    exponent = jnp.where((top > 0) & jnp.isfinite(top), exponent, 0)
    least = jnp.finfo(dtype).minexp  # beyond it the power or its inverse is no number
    power = jnp.ldexp(jnp.ones((), dtype), jnp.clip(-exponent, least, -least))
    squares = [jnp.sum(jnp.square(leaf * power)) for leaf in wide]
    return jnp.sqrt(sum(squares[1:], squares[0]) if squares else top), power
