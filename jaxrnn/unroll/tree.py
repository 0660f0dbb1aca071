"""A cell over trees, from their leaves to their roots."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn import checks
from jaxrnn.cell import Cell
from jaxrnn.typing import Array, Key, PyTree, Shape
from jaxrnn.unroll.arrange import Arrays, arrange, time_first
from jaxrnn.unroll.contract import first_difference
from jaxrnn.unroll.masks import spread, zero_padding
from jaxrnn.unroll.origin import Origin
from jaxrnn.unroll.run import Run


def unroll_tree(
    cell: Cell,
    params: PyTree,
    xs: PyTree,
    children: Array,
    *,
    lengths: Array | None = None,
    key: Key | None = None,
    context: PyTree = None,
) -> tuple[PyTree, PyTree]:
    """Run a cell over trees. It gives what this recursion gives, one program a shape::

      ready = cell.prepare(params, context=context, key=sequence_key(key))

      def node(t):                                   # of one tree
          below = [node(k)[0] if k >= 0 else zeros for k in children[t]]
          z = cell.project(ready, xs[t], key=fold_in(key, t))
          return cell.merge(ready, stack(below), children[t] >= 0, z)

      for t in range(lengths): carries[t], ys[t] = node(t)

    All inputs are projected at once, then the nodes of all trees are merged one place
    after the other. Trees that are padded to the same numbers of nodes and of children
    share one program. What stands in padding reaches neither values nor gradients.

    Args:
      cell: a cell that has `merge(ready, children, child_mask, z)`, a step from any
        number of carries, such as `ChildSumTreeLSTM` and `NaryTreeLSTM`.
      params: what `cell.init` returned.
      xs: the nodes' inputs `[*batch, N, input_size]`; no batch axis, one or several.
      children: `[*batch, N, K]` integers: the places in [0, N) of each node's children,
        -1 for none. Children stand before their parents, and have one parent at most.
      lengths: `[*batch]` integers in [0, N]: the nodes of each tree, the first ones.
      key: randomness, for training; None means evaluation.
      context: what `cell.prepare` may look at.

    Returns:
      `(carries, ys)`: each node's carry and output, `[*batch, N, ...]`; zeros where
      there is no node. The root of a tree is its last node.

    Raises:
      ValueError, TypeError: for shapes, dtypes and values that do not fit, naming the
        argument. Under jit, where values cannot be looked at, a child that does not
        stand before its parent is none.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.NaryTreeLSTM(4, arity=2)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> words = jax.random.normal(jax.random.key(1), (5, 3))
      >>> children = [[-1, -1], [-1, -1], [0, 1], [-1, -1], [2, 3]]  # ((0 1) 3)
      >>> carries, ys = jr.unroll_tree(cell, params, words, jnp.array(children))
      >>> ys.shape, bool((carries.hidden == ys).all())
      ((5, 4), True)
    """
    if not hasattr(cell, "merge"):
        raise TypeError(
            "`cell` must have a method `merge`, as ChildSumTreeLSTM and NaryTreeLSTM "
            f"have, got {cell!r}"
        )
    axis = _node_axis(cell, xs)
    nodes_first = lambda a: time_first(a, axis)
    sequence = arrange(cell, jax.tree.map(nodes_first, xs), lengths=lengths)
    _check_children(children, (*sequence.batch_shape, sequence.steps), lengths)
    origin = Origin(params, None, key, 0, context)
    options = (cell, sequence.batch_shape)
    out = _compiled(options, origin, sequence.arrays, nodes_first(children))
    return jax.tree.map(lambda a: jnp.moveaxis(a, 0, axis), out)


@functools.partial(jax.jit, static_argnums=0)
def _compiled(
    options: tuple, origin: Origin, arrays: Arrays, children: Array
) -> tuple[PyTree, PyTree]:
    cell, batch_shape = options
    run = Run(batch_shape).with_arrays(arrays, origin.key, origin.start)
    xs = zero_padding(run.mask, arrays.xs)
    ready, start = origin.begin(cell, xs, batch_shape)
    zs = run.project(cell, ready, xs)
    children = children.astype(jnp.int32)
    places = jnp.arange(len(children), dtype=jnp.int32)
    present = (children >= 0) & (children < spread(places, children))
    children = jnp.where(present, children, len(children))
    # Backwards, gates are cheaper to compute again than to write and read.
    policy = jax.checkpoint_policies.dots_saveable
    merge = jax.checkpoint(cell.merge, prevent_cse=False, policy=policy)

    def node(below: PyTree, inputs: Any) -> tuple[PyTree, PyTree]:
        present, real, z = inputs
        carry, y = merge(ready, below, present, z)
        _check_carry(cell, start, carry)
        return zero_padding(real, carry), y

    carries, ys = _in_order(node, start, children, (present, run.mask, zs))
    return carries, zero_padding(run.mask, cell.cast_output(ys))


def _in_order(
    node: Callable[[PyTree, Any], tuple[PyTree, PyTree]],
    like: PyTree,
    children: Array,
    inputs: PyTree,
) -> tuple[PyTree, PyTree]:
    """`(carry, y)` of every node, by `node(its children's carries, its inputs)`.

    Args:
      node: what a node does.
      like: an array like each leaf of a carry.
      children: `[N, *batch, K]`, places before the node's own; N for an absent child,
        whose carry is 0.
      inputs: `[N, ...]`.
    """
    nodes, *batch_shape, _ = children.shape
    rows = [row[..., None] for row in np.indices(batch_shape, np.int32)]

    def step(state: tuple, now: Any) -> tuple[tuple, tuple]:
        (buffer, before), (place, children, inputs) = state, now
        # The node before goes into the buffer only now (before the first, zeros go to
        # the place N), and is added to what stands there, zeros: on the way back its
        # gradient is then what is read last, and the buffer's can change in place.
        buffer = jax.tree.map(lambda a, c: a.at[place - 1].add(c), buffer, before)
        carry, y = node(jax.tree.map(lambda a: a[children, *rows], buffer), inputs)
        return (buffer, carry), (carry, y)

    buffer = jax.tree.map(lambda a: jnp.zeros((nodes + 1, *a.shape), a.dtype), like)
    state = buffer, jax.tree.map(jnp.zeros_like, like)
    places = jnp.arange(nodes, dtype=jnp.int32)
    return jax.lax.scan(step, state, (places, children, inputs))[1]


def _check_carry(cell: Cell, like: PyTree, carry: PyTree) -> None:
    difference = first_difference(like, carry)
    if difference is not None:
        raise ValueError(
            f"`merge` of {cell} must return a carry like the cell's initial carry, of "
            f"the same tree, shapes and dtypes; {difference}"
        )


def _node_axis(cell: Cell, xs: PyTree) -> int:
    """The axis of the nodes, which stands before those of one input."""
    leaf, ndim = jax.tree.leaves(xs)[0], jax.tree.leaves(cell.input_ndim)[0]
    return max(jnp.ndim(leaf) - 1 - ndim, 0)


def _check_children(children: Any, nodes: Shape, lengths: Any) -> None:
    """Raise unless `children` are trees of `(*batch, N)` nodes."""
    children = children if hasattr(children, "dtype") else np.asarray(children)
    if not jnp.issubdtype(children.dtype, jnp.integer):
        raise TypeError(f"`children` must be integers, got {children.dtype}")
    *leading, places = children.shape or (0,)
    if tuple(leading) != nodes or places == 0:
        shape = ", ".join(map(str, nodes))
        raise ValueError(
            f"`children` must have shape (*batch, N, K) = ({shape}, K), K at least 1, "
            f"got {children.shape}"
        )
    if checks.concrete(children, lengths):
        children, (*_, N) = np.asarray(children), nodes
        if lengths is not None:
            real = np.arange(N) < np.asarray(lengths)[..., None]
            children = np.where(real[..., None], children, -1)
        _check_trees(children.astype(np.int64))


def _check_trees(children: np.ndarray) -> None:
    """Raise unless each node has children in [0, N), before it, and one parent."""
    *_, N, K = children.shape
    parents = np.arange(N)[:, None]
    rules = {
        f"be places in [0, N) = [0, {N}), or -1 for none": (
            (children < -1) | (children >= N)
        ),
        "stand before their parents": children >= parents,
    }
    for rule, broken in rules.items():
        for *tree, node, place in np.argwhere(broken)[:1]:
            child = children[*tree, node, place]
            raise ValueError(
                f"`children` must {rule}, but node {node}{_of(tree)} has the child "
                f"{child}"
            )
    of_trees = children.reshape(*children.shape[:-2], N * K)
    ordered = np.sort(of_trees, axis=-1)
    twice = (ordered[..., 1:] == ordered[..., :-1]) & (ordered[..., 1:] >= 0)
    for *tree, index in np.argwhere(twice)[:1]:
        child = ordered[*tree, index]
        first, second = np.flatnonzero(of_trees[*tree] == child)[:2] // K
        raise ValueError(
            f"`children` must have one parent each, but node {child}{_of(tree)} is a "
            f"child of {first} and of {second}"
        )


def _of(tree: list[Any]) -> str:
    """Which tree of the batch, in words; nothing where there is no batch."""
    if not tree:
        return ""
    return f" of tree {tree[0] if len(tree) == 1 else tuple(map(int, tree))}"
