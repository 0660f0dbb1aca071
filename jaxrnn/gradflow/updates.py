"""What an optimizer makes of gradients: how far weights move, and where a clip acts."""

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.gradflow.sizes import joint_size, size
from jaxrnn.typing import Array, PyTree

_DEPTHS = {"norm": 0, "block": 1, "leaf": None}  # of the paths that are clipped as one


def update_ratios(params: PyTree, updates: PyTree) -> PyTree:
    """||update|| / ||weight|| of each array: about 1e-3 is healthy.

    Args:
      params: of a model, before the update.
      updates: what is added to them, such as an optimizer's.

    Returns:
      A tree of scalars; infinite where a weight is 0 and moves, 0 where none moves.

    Example:
      >>> params = {"kernel": jnp.array([3.0, 4.0])}
      >>> update_ratios(params, {"kernel": jnp.array([0.0, 0.1])})["kernel"].tolist()
      0.019999999552965164
    """

    def ratio(weight: Array, update: Array) -> Array:
        moved, whole = size(update), size(weight)
        quotient = moved / jnp.where(whole > 0, whole, 1)
        far = jnp.where(moved > 0, jnp.inf, 0).astype(quotient.dtype)
        return jnp.where(whole > 0, quotient, far)

    return jax.tree.map(ratio, params, updates)


def clip_factors(gradient: PyTree, limit: float, *, by: str = "norm") -> PyTree:
    """What `training.clip` multiplies each array with: 1 where it does nothing.

    Args:
      gradient: a tree of arrays.
      limit: the largest norm, or value.
      by: "norm" of all gradients, "block", "leaf" or "value", as of `clip`; of values
        it is the part of an array that is left as it is.

    Returns:
      A tree of scalars in [0, 1].

    Raises:
      ValueError: for another `by`, or a limit that is not positive.

    References:
      Pascanu, Mikolov, Bengio 2013, section 3.2.

    Example:
      >>> gradient = {"a": jnp.array([3.0, 0.0]), "b": jnp.array([4.0])}
      >>> clip_factors(gradient, 1.0)["b"].round(3).tolist()
      0.2
      >>> clip_factors(gradient, 1.0, by="value")["a"].tolist()
      0.5
    """
    checks.one_of((*_DEPTHS, "value"), by=by)
    if not limit > 0:
        raise ValueError(f"`limit` must be positive, got {limit}")
    if by == "value":
        kept = lambda leaf: jnp.mean(jnp.abs(leaf) <= limit, dtype=leaf.dtype)
        return jax.tree.map(kept, gradient)
    blocks = dict[object, list[Array]]()
    for path, leaf in jax.tree.leaves_with_path(gradient):
        blocks.setdefault(path[: _DEPTHS[by]], []).append(leaf)
    norms = {block: joint_size(leaves) for block, leaves in blocks.items()}

    def factor(path: tuple, leaf: Array) -> Array:
        norm = norms[path[: _DEPTHS[by]]]
        return jnp.where(norm > limit, limit / jnp.maximum(norm, limit), 1)

    return jax.tree.map_with_path(factor, gradient)
