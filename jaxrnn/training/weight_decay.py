"""Weights that are kept small, chosen by their names."""

from collections.abc import Callable
from typing import Any

import jax
import optax

from jaxrnn.combine.named import named
from jaxrnn.typing import PyTree


def l2(
    rate: float, names: tuple[str, ...] | None = None
) -> optax.GradientTransformation:
    """L2 regularisation: adds the gradient of a penalty on some weights.

    ::

      penalty = rate / 2 * sum of w^2 over the arrays with these names
      gradient += rate * w

    Before the optimizer, as here, it is a part of the loss; after Adam it is decoupled
    weight decay.

    Args:
      rate: of the penalty.
      names: of arrays, wherever they stand in the parameters: the last words of their
        paths. None: all that end in `kernel`, for biases are mostly left out.

    Returns:
      A transformation, to be chained before the optimizer; its `update` needs `params`.

    Raises:
      ValueError: at `init`, if no array has one of the names.

    References:
      Krogh, Hertz 1992; decoupled: Loshchilov, Hutter 2019.

    Example:
      >>> import jax.numpy as jnp
      >>> params = {"kernel": jnp.array([2.0, 4.0]), "bias": jnp.array([1.0])}
      >>> optimizer = optax.chain(l2(0.1, ("kernel",)), optax.sgd(1.0))
      >>> updates, _ = optimizer.update(
      ...     jax.tree.map(jnp.zeros_like, params), optimizer.init(params), params
      ... )
      >>> [round(float(u), 3) for u in updates["kernel"]], float(updates["bias"][0])
      ([-0.2, -0.4], 0.0)
    """
    return optax.add_decayed_weights(rate, mask=_with(names))


def _with(names: tuple[str, ...] | None) -> Callable[[PyTree], PyTree]:
    """From parameters to which of them have one of the names."""

    def mask(params: PyTree) -> PyTree:
        if names is None:
            return jax.tree.map_with_path(lambda place, _: _is_kernel(place), params)
        places = {name: named(params, name) for name in names}
        for name, found in places.items():
            if not found:
                raise ValueError(f"`names` must be those of parameters, got {name!r}")
        chosen = set().union(*places.values())
        return jax.tree.map_with_path(lambda place, _: place in chosen, params)

    return mask


def _is_kernel(place: Any) -> bool:
    return str(getattr(place[-1], "key", "")).endswith("kernel") if place else False
