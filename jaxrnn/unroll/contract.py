"""What a cell promises, checked where it is run, in the words of the contract."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cell import Cell
from jaxrnn.checks import kind, path_name
from jaxrnn.typing import PyTree, Shape


def check_step(
    cell: Cell, carry: PyTree, result: Any, batch_shape: Shape
) -> tuple[PyTree, PyTree]:
    """The result of `recur`, once it is a pair whose carry is like the one before."""
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(
            f"`recur` of {cell} must return a pair (carry, output), got {kind(result)}"
        )
    following, y = result
    difference = first_difference(carry, following)
    if difference is not None:
        raise ValueError(
            f"`recur` of {cell} must return a carry like the one it got, of the same "
            f"tree, shapes and dtypes; {difference}"
        )
    for path, leaf in jax.tree.leaves_with_path(y):
        if jnp.shape(leaf)[: len(batch_shape)] != batch_shape:
            raise ValueError(
                f"`recur` of {cell} must return an output whose leaves start with the "
                f"batch axes {batch_shape}; y{path_name(path)} has shape "
                f"{jnp.shape(leaf)}"
            )
    return following, y


def check_projection(cell: Cell, steps: int, batch_shape: Shape, zs: PyTree) -> None:
    """Every leaf that `project` makes keeps the leading axes; keys have time alone."""
    for path, leaf in jax.tree.leaves_with_path(zs):
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        leading = (steps,) if is_key else (steps, *batch_shape)
        if leaf.shape[: len(leading)] != leading:
            raise ValueError(
                f"`project` of {cell} must keep the leading axes of its input, here "
                f"(T, *batch) = {leading}; z{path_name(path)} has shape {leaf.shape}"
            )


def check_initial_carry(cell: Cell, carry: PyTree, batch_shape: Shape) -> PyTree:
    """The carry that `initial_carry` gave, if every leaf starts with the batch axes."""
    for path, leaf in jax.tree.leaves_with_path(carry):
        shape = jnp.shape(leaf)
        if shape[: len(batch_shape)] != batch_shape:
            raise ValueError(
                f"`initial_carry` of {cell} must give leaves that start with the batch "
                f"axes {batch_shape}; carry{path_name(path)} has shape {shape}"
            )
    return carry


def check_given_carry(carry: PyTree, expected: PyTree) -> PyTree:
    """The user's carry, Python numbers made arrays, if it is like the expected one."""
    plain = jax.tree.map(jnp.asarray, carry)
    if _paths(plain) == _paths(expected):
        weak = lambda a: getattr(a, "weak_type", False)
        like = lambda a, e: a.astype(e.dtype) if weak(a) else a
        plain = jax.tree.map(like, plain, expected)
    difference = first_difference(expected, plain)
    if difference is not None:
        raise ValueError(f"`carry` must be like the cell's initial carry; {difference}")
    return plain


def first_difference(expected: PyTree, got: PyTree) -> str | None:
    """Where two trees of arrays differ in tree, shape or dtype, in words, or None."""
    paths = _paths(expected), _paths(got)
    if paths[0] != paths[1]:
        return f"expected the leaves {', '.join(paths[0])}, got {', '.join(paths[1])}"
    for path, a, b in zip(
        paths[0], jax.tree.leaves(expected), jax.tree.leaves(got), strict=True
    ):
        if jnp.shape(a) != jnp.shape(b) or a.dtype != jnp.result_type(b):
            return f"at {path} expected {kind(a)}, got {kind(b)}"
    return None


def _paths(tree: PyTree) -> list[str]:
    return [f"carry{path_name(path)}" for path, _ in jax.tree.leaves_with_path(tree)]
