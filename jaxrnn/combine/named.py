"""Parameters by name, wherever they stand."""

from typing import Any

import jax

from jaxrnn.typing import Array, PyTree


def named(params: PyTree, name: str) -> dict[Any, Array]:
    """The arrays that stand under `name`, by their places in the tree.

    Example:
      >>> [array for array in named(({"a": 1}, {"b": 2, "c": {"a": 3}}), "a").values()]
      [1, 3]
    """
    last = lambda place: getattr(place[-1], "key", None) if place else None
    leaves = jax.tree.leaves_with_path(params)
    return {place: leaf for place, leaf in leaves if last(place) == name}
