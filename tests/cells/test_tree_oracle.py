"""`unroll_tree` against a recursion in plain Python, node by node."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from laws.oracles_gated import n_ary_node, tree_node

INPUT, NODES = 3, 9
LENGTHS = np.array([9, 9, 1, 4, 0, 7, 2])
CELLS = [  # and how many places a node has for children
    pytest.param(jr.ChildSumTreeLSTM(5), 4, id="child_sum"),
    pytest.param(jr.ChildSumTreeLSTM(5), NODES - 1, id="child_sum_of_many"),
    pytest.param(jr.NaryTreeLSTM(5), 2, id="binary"),
    pytest.param(jr.NaryTreeLSTM(4, arity=3), 3, id="ternary"),
    pytest.param(jr.NaryTreeLSTM(5, arity=1), 1, id="chain"),
]
each_cell = pytest.mark.parametrize("cell, places", CELLS)
each_kind = pytest.mark.parametrize("cell, places", [CELLS[0], CELLS[2]])


def draw_tree(rng: np.random.Generator, length: int, places: int) -> np.ndarray:
    """Each node but the last, the root, in some free place of some later node."""
    children = np.full((NODES, places), -1)
    for node in reversed(range(length - 1)):
        free = np.argwhere(children[node + 1 : length] < 0)
        parent, place = rng.choice(free)
        children[node + 1 + parent, place] = node
    return children


def draw(cell: Any, places: int) -> tuple[Any, np.ndarray, np.ndarray]:
    """Parameters, inputs with garbage at padding, and trees."""
    rng = np.random.default_rng(places)
    init = functools.partial(cell.init, input_size=INPUT)
    shapes = jax.eval_shape(init, jax.random.key(0))
    params = jax.tree.map(lambda a: rng.normal(scale=0.5, size=a.shape), shapes)
    xs = rng.normal(size=(len(LENGTHS), NODES, INPUT))
    xs[np.arange(NODES) >= LENGTHS[:, None]] = np.nan
    return params, xs, np.stack([draw_tree(rng, n, places) for n in LENGTHS])


def recursion(
    cell: Any, params: Any, xs: np.ndarray, children: np.ndarray, node: int
) -> dict[int, Any]:
    """Carry and output of the node and of all below it."""
    found: dict[int, Any] = {}
    for child in children[node][children[node] >= 0]:
        found |= recursion(cell, params, xs, children, child)
    below = [found[child][0] if child >= 0 else None for child in children[node]]
    if isinstance(cell, jr.NaryTreeLSTM):
        zeros = np.zeros(cell.hidden_size)
        below = [jr.LSTMCarry(zeros, zeros) if b is None else b for b in below]
        equations = n_ary_node
    else:
        below = [b for b in below if b is not None]
        equations = tree_node
    hs, cs = [b.hidden for b in below], [b.cell for b in below]
    return found | {node: equations(params, hs, cs, xs[node], jr.LSTMCarry)}


@each_cell
@pytest.mark.parametrize("jit", [False, True], ids=["", "jit"])
def test_every_node_of_every_tree(cell: Any, places: int, jit: bool) -> None:
    params, xs, children = draw(cell, places)
    run = functools.partial(jr.unroll_tree, cell)
    on_device = jax.tree.map(jnp.asarray, (params, xs, children))
    run = jax.jit(run) if jit else run
    carries, ys = run(*on_device, lengths=jnp.asarray(LENGTHS))
    assert ys.shape == (len(LENGTHS), NODES, cell.hidden_size)
    for row, length in enumerate(LENGTHS):
        np.testing.assert_array_equal(ys[row, length:], 0)
        if length == 0:
            continue
        found = recursion(cell, params, xs[row], children[row], length - 1)
        assert len(found) == length
        for node, (carry, y) in found.items():
            got = jax.tree.map(lambda a, at=(row, node): a[at], (carries, ys))
            for a, b in zip(jax.tree.leaves(got), (*carry, y), strict=True):
                np.testing.assert_allclose(a, b, 1e-12, 1e-12)


@each_kind
def test_without_lengths_every_node_is_real(cell: Any, places: int) -> None:
    params, xs, children = draw(cell, places)
    whole = jax.tree.map(jnp.asarray, (params, xs[:2], children[:2]))
    plain = jr.unroll_tree(cell, *whole)
    full = jr.unroll_tree(cell, *whole, lengths=jnp.full(2, NODES))
    close = functools.partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-12)
    jax.tree.map(close, plain, full)


def slopes(function: Any, tree: Any, step: float = 1e-5) -> Any:
    """Central differences of a function of a tree of arrays, element by element."""
    leaves, form = jax.tree.flatten(tree)

    def moved(leaf: int, at: tuple[int, ...], by: float) -> float:
        changed = [a.copy() for a in leaves]
        changed[leaf][at] += by
        return function(*jax.tree.unflatten(form, changed))

    def slope(leaf: int, at: tuple[int, ...]) -> float:
        return (moved(leaf, at, step) - moved(leaf, at, -step)) / (2 * step)

    numbers = [
        np.reshape([slope(leaf, at) for at in np.ndindex(a.shape)], a.shape)
        for leaf, a in enumerate(leaves)
    ]
    return jax.tree.unflatten(form, numbers)


@each_kind
def test_gradients_are_finite_differences(cell: Any, places: int) -> None:
    """Those of the recursion. Padding gets none, whatever it holds."""
    params, xs, children = draw(cell, places)
    row = list(LENGTHS).index(4)
    weights = np.random.default_rng(0).normal(size=(NODES, cell.hidden_size))

    def loss(params: Any, xs: Any) -> jax.Array:
        tree, length = jnp.asarray(children[[row]]), jnp.asarray(LENGTHS[[row]])
        _, ys = jr.unroll_tree(cell, params, xs[None], tree, lengths=length)
        return jnp.sum(weights * jnp.sin(ys[0]))

    def expected(params: Any, xs: np.ndarray) -> float:
        found = recursion(cell, params, xs, children[row], LENGTHS[row] - 1)
        return sum(weights[node] @ np.sin(y) for node, (_, y) in found.items())

    given = params, xs[row]
    got = jax.grad(loss, (0, 1))(*jax.tree.map(jnp.asarray, given))
    close = functools.partial(np.testing.assert_allclose, rtol=1e-7, atol=1e-8)
    jax.tree.map(close, got, slopes(expected, given))
