"""`unroll_tree` is the recursion of its docstring, one program a bucket."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from laws.harness import close, compilations, finite, same_bits

B, N, K, INPUT, H = 4, 7, 2, 3, 5
LENGTHS = np.array([7, 4, 0, 1])
SUM, BINARY = jr.ChildSumTreeLSTM(H), jr.NaryTreeLSTM(H, arity=K)
each = pytest.mark.parametrize("cell", [SUM, BINARY], ids=str)
# Both merge in the same loop, whose gradients these are.
one = pytest.mark.parametrize(
    "cell", [SUM, pytest.param(BINARY, marks=pytest.mark.slow)], ids=str
)


def draw_params(cell, dtype=float):
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(lambda key: cell.init(key, INPUT), jax.random.key(0))
    draw = lambda a: jnp.asarray(rng.normal(scale=0.5, size=a.shape), dtype)
    return jax.tree.map(draw, shapes)


def draw_trees(seed, nodes=N, batch=B, places=K):
    """Random trees: a node takes some of those that nobody has taken yet."""
    rng = np.random.default_rng(seed)
    children = np.full((batch, nodes, places), -1)
    for tree in children:
        roots = []
        for node in range(nodes):
            count = rng.integers(0, 1 + min(places, len(roots)))
            taken = rng.choice(roots, count, replace=False) if count else []
            tree[node, rng.permutation(places)[:count]] = taken
            roots = [*(root for root in roots if root not in taken), node]
    return children


CHILDREN = draw_trees(0)
XS = np.random.default_rng(1).normal(size=(B, N, INPUT))


def recursion(cell, params, xs, children, key=None):
    """The docstring's, of one tree."""
    ready = cell.prepare(params, key=jr.sequence_key(key))
    zeros = jax.tree.map(jnp.zeros_like, cell.initial_carry(ready, ()))

    def node(t):
        below = [node(k)[0] if k >= 0 else zeros for k in children[t]]
        step_key = None if key is None else jax.random.fold_in(key, t)
        z = cell.project(ready, xs[t], key=step_key)
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *below)
        return cell.merge(ready, stacked, children[t] >= 0, z)

    nodes = [node(t) for t in range(len(xs))]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *nodes)


def by_recursion(cell, params, xs):
    """The same of a batch with `LENGTHS`, zeros where there is no node."""
    pad = lambda a: jnp.pad(a, [(0, N - len(a)), *[(0, 0)] * (a.ndim - 1)])
    empty = (jr.LSTMCarry(*jnp.zeros((2, N, H))), jnp.zeros((N, H)))
    trees = []
    for row, length in enumerate(LENGTHS):
        real = xs[row, :length], CHILDREN[row, :length]
        tree = recursion(cell, params, *real) if length else empty
        trees.append(jax.tree.map(pad, tree))
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def weigh(tree):
    rng = np.random.default_rng(0)
    weights = lambda a: jnp.asarray(rng.normal(size=a.shape), a.dtype)
    return sum((weights(a) * jnp.sin(a)).sum() for a in jax.tree.leaves(tree))


class Noisy(jr.ChildSumTreeLSTM):
    """A cell that draws: its inputs are noisy in training."""

    def project(self, ready, x, *, key=None):
        noise = 0 if key is None else jax.random.normal(key, x.shape, x.dtype)
        return super().project(ready, x + noise)


@each
def test_it_is_the_recursion_that_its_docstring_shows(cell):
    params = draw_params(cell)
    got = jr.unroll_tree(cell, params, XS, CHILDREN, lengths=LENGTHS)
    close(got, by_recursion(cell, params, XS))


def test_a_tree_draws_what_the_recursion_draws():
    cell, key = Noisy(H), jax.random.key(3)
    params = draw_params(cell)
    got = jr.unroll_tree(cell, params, XS[0], CHILDREN[0], key=key)
    close(got, recursion(cell, params, XS[0], CHILDREN[0], key))


@one
def test_gradients_are_those_of_the_recursion(cell):
    params = draw_params(cell)
    xs, children, lengths = jnp.asarray(XS), CHILDREN, LENGTHS
    scan = lambda *moving: jr.unroll_tree(cell, *moving, children, lengths=lengths)
    loop = lambda *moving: by_recursion(cell, *moving)
    slopes = [
        jax.jit(
            jax.value_and_grad(lambda *moving, run=run: weigh(run(*moving)), (0, 1))
        )
        for run in (scan, loop)
    ]
    close(*(slope(params, xs) for slope in slopes))


@one
def test_both_modes_and_two_orders_differentiate(cell):
    params = draw_params(cell)
    rng = np.random.default_rng(0)
    along = jax.tree.map(lambda a: rng.normal(size=a.shape), params)

    def value(a):
        moved = jax.tree.map(lambda p, d: p + a * d, params, along)
        return weigh(jr.unroll_tree(cell, moved, XS[0], CHILDREN[0]))

    forward = lambda a: jax.jvp(value, (a,), (1.0,))[1]
    of_all = lambda a: (value(a), forward(a), jax.grad(value)(a), jax.grad(forward)(a))
    slopes = jax.jit(lambda a: jnp.stack(of_all(a)))
    h = 1e-4
    rise = lambda h: slopes(h) - slopes(-h)
    difference = (8 * rise(h) - rise(2 * h)) / (12 * h)
    _, first, again, second = slopes(0.0)
    close(jnp.stack([first, again]), difference[jnp.array([0, 0])], 1e-7)
    close(second, difference[1], 1e-7)


def test_jit_and_vmap_are_a_batch():
    params, lengths = draw_params(SUM), jnp.asarray(LENGTHS)
    run = lambda *arrays: jr.unroll_tree(SUM, params, *arrays[:2], lengths=arrays[2])
    plain = run(XS, CHILDREN, lengths)
    close(jax.jit(run)(XS, CHILDREN, lengths), plain)
    close(jax.vmap(run)(XS, CHILDREN, lengths), plain)
    slope = jax.grad(lambda xs, *rest: weigh(run(xs, *rest)))
    mapped = jax.vmap(slope)(jnp.asarray(XS), CHILDREN, lengths)
    for row in range(B):
        alone = slope(jnp.asarray(XS[row]), CHILDREN[row], lengths[row])
        close(mapped[row], alone)


@each
def test_no_batch_axis_and_several(cell):
    params = draw_params(cell)
    plain = jr.unroll_tree(cell, params, XS, CHILDREN, lengths=LENGTHS)
    fold = lambda a: a.reshape(2, 2, *a.shape[1:])
    folded = map(fold, (XS, CHILDREN))
    got = jr.unroll_tree(cell, params, *folded, lengths=fold(LENGTHS))
    close(got, jax.tree.map(fold, plain))
    alone = jr.unroll_tree(cell, params, XS[1], CHILDREN[1], lengths=LENGTHS[1])
    close(alone, jax.tree.map(lambda a: a[1], plain))


CHAIN = np.arange(-1, N - 1).reshape(1, N, 1).repeat(B, 0)


@pytest.mark.parametrize("places", [1, 3])
def test_a_chain_is_an_lstm(places):
    params = draw_params(SUM)
    children = np.pad(CHAIN, [(0, 0), (0, 0), (places - 1, 0)], constant_values=-1)
    (hidden, cells), ys = jr.unroll_tree(SUM, params, XS, children)
    expected = jr.unroll(jr.LSTM(H), params, XS, time_axis=1)
    close(((hidden[:, -1], cells[:, -1]), ys), (tuple(expected[0]), expected[1]))


def test_the_parameters_are_those_of_an_lstm():
    same_bits(*(cell.init(jax.random.key(0), 3) for cell in (SUM, jr.LSTM(H))))


@each
def test_a_chain_is_the_cell_on_a_sequence(cell):
    params = draw_params(cell)
    carries, ys = jr.unroll_tree(cell, params, XS, CHAIN, lengths=LENGTHS)
    expected = jr.unroll(
        cell, params, XS, time_axis=1, lengths=LENGTHS, collect=lambda carry: carry
    )
    real = (np.arange(N) < LENGTHS[:, None])[..., None]
    collected = jax.tree.map(lambda a: np.where(real, a, 0), expected[2])
    close((carries, ys), (collected, expected[1]))


def test_the_order_of_children_is_nothing_to_their_sum():
    params = draw_params(SUM)
    got = jr.unroll_tree(SUM, params, XS, CHILDREN[..., ::-1])
    close(got, jr.unroll_tree(SUM, params, XS, CHILDREN))


def test_more_places_for_children_change_nothing():
    params = draw_params(SUM)
    wide = np.pad(CHILDREN, [(0, 0), (0, 0), (0, 3)], constant_values=-1)
    close(
        jr.unroll_tree(SUM, params, XS, wide),
        jr.unroll_tree(SUM, params, XS, CHILDREN),
    )


@one
def test_what_stands_in_padding_reaches_nothing(cell):
    params = draw_params(cell)
    real = np.arange(N) < LENGTHS[:, None]

    def run(params, xs, children):
        out = jr.unroll_tree(cell, params, xs, children, lengths=LENGTHS)
        return weigh(out), out

    slopes = jax.value_and_grad(run, (0, 1), has_aux=True)
    clean = slopes(params, jnp.asarray(XS), CHILDREN)
    for garbage, child in ((np.nan, 0), (np.inf, N - 1), (1e30, 99)):
        xs = jnp.asarray(np.where(real[..., None], XS, garbage))
        children = np.where(real[..., None], CHILDREN, child)
        dirty = slopes(params, xs, children)
        same_bits(dirty, clean)
    (_, (carries, ys)), grads = clean
    finite(grads)
    assert not any(a[~real].any() for a in (*carries, ys))


@each
def test_what_stands_for_absent_children_reaches_nothing(cell):
    ready = cell.prepare(draw_params(cell))
    z = cell.project(ready, jnp.asarray(XS[:, 0]))
    carry = jr.LSTMCarry(*np.random.default_rng(2).normal(size=(2, B, K, H)))
    mask = np.array([[True, False], [False, True], [False, False], [True, True]])
    absent = lambda value: jax.tree.map(
        lambda a: jnp.where(mask[..., None], a, value), carry
    )
    clean = cell.merge(ready, absent(0.0), jnp.asarray(mask), z)
    same_bits(cell.merge(ready, absent(np.nan), jnp.asarray(mask), z), clean)


@one
def test_gradients_at_rest_are_finite(cell):
    params = cell.init(jax.random.key(0), INPUT)
    run = lambda *moving: weigh(jr.unroll_tree(cell, *moving, CHILDREN))
    finite(jax.grad(run, (0, 1))(params, jnp.zeros((B, N, INPUT), "float32")), 1e4)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_outputs_are_in_dtype_and_carries_in_float32(dtype):
    cell = SUM.replace(dtype=dtype)
    params, xs = draw_params(cell, "float32"), XS.astype("float32")
    carries, ys = jr.unroll_tree(cell, params, xs, CHILDREN, lengths=LENGTHS)
    assert (ys.dtype, carries.hidden.dtype) == (dtype, "float32")
    near = jr.unroll_tree(SUM, params, xs, CHILDREN, lengths=LENGTHS)[1]
    close(ys.astype("float32"), near, 0.05)


def test_a_bucket_compiles_once():
    params = draw_params(SUM)
    run = lambda seed: jr.unroll_tree(
        SUM.replace(), params, XS + seed, draw_trees(seed), lengths=LENGTHS % (seed + 2)
    )
    run(0)
    with compilations() as compiled:
        for seed in range(1, 6):
            run(seed)
    assert compiled == []


def temporaries(nodes):
    """Bytes that the gradients need beside their arguments and results."""
    cell = jr.ChildSumTreeLSTM(32)
    params = jax.eval_shape(lambda key: cell.init(key, 8), jax.random.key(0))
    xs = jax.ShapeDtypeStruct((4, nodes, 8), jnp.float32)
    children = jax.ShapeDtypeStruct((4, nodes, 2), jnp.int32)
    run = lambda *arrays: jr.unroll_tree(cell, *arrays)[1]
    loss = lambda *arrays: jnp.square(run(*arrays)).sum()
    program = jax.jit(jax.grad(loss)).lower(params, xs, children).compile()
    return program.memory_analysis().temp_size_in_bytes


def test_memory_grows_with_the_nodes_not_with_their_square():
    few, some, many = map(temporaries, (32, 128, 512))
    assert many - some < 5 * (some - few)


# Bad inputs


def changed(place, child, children=CHILDREN):
    children = np.array(children)
    children[place] = child
    return children


def run(children=CHILDREN, cell=SUM, xs=XS, **options):
    return jr.unroll_tree(cell, draw_params(SUM), xs, children, **options)


LEAVES = np.full((B, N, K), -1)
ERRORS = {
    "a_cell_that_cannot_merge": (
        lambda: run(cell=jr.GRU(H)),
        TypeError(
            "`cell` must have a method `merge`, as ChildSumTreeLSTM and NaryTreeLSTM "
            "have, got GRU(5)"
        ),
    ),
    "floats": (
        lambda: run(CHILDREN.astype(float)),
        TypeError("`children` must be integers, got float64"),
    ),
    "flags": (
        lambda: run(CHILDREN > 0),
        TypeError("`children` must be integers, got bool"),
    ),
    "other_nodes": (
        lambda: run(CHILDREN[:, 1:]),
        ValueError(
            "`children` must have shape (*batch, N, K) = (4, 7, K), K at least 1, got "
            "(4, 6, 2)"
        ),
    ),
    "no_batch_axis": (
        lambda: run(CHILDREN[0]),
        ValueError(
            "`children` must have shape (*batch, N, K) = (4, 7, K), K at least 1, got "
            "(7, 2)"
        ),
    ),
    "no_places": (
        lambda: run(CHILDREN[..., :0]),
        ValueError(
            "`children` must have shape (*batch, N, K) = (4, 7, K), K at least 1, got "
            "(4, 7, 0)"
        ),
    ),
    "above_the_nodes": (
        lambda: run(changed((1, 6, 1), 7)),
        ValueError(
            "`children` must be places in [0, N) = [0, 7), or -1 for none, but node 6 "
            "of tree 1 has the child 7"
        ),
    ),
    "below_none": (
        lambda: run(changed((1, 6, 1), -2)),
        ValueError(
            "`children` must be places in [0, N) = [0, 7), or -1 for none, but node 6 "
            "of tree 1 has the child -2"
        ),
    ),
    "itself": (
        lambda: run(changed((0, 2, 0), 2, LEAVES)),
        ValueError(
            "`children` must stand before their parents, but node 2 of tree 0 has the "
            "child 2"
        ),
    ),
    "a_later_node": (
        lambda: run(changed((2, 1), 5, LEAVES)[2], xs=XS[2]),
        ValueError(
            "`children` must stand before their parents, but node 1 has the child 5"
        ),
    ),
    "two_parents": (
        lambda: run(changed((3, [4, 6], 1), 3, LEAVES)),
        ValueError(
            "`children` must have one parent each, but node 3 of tree 3 is a child of "
            "4 and of 6"
        ),
    ),
    "twice_of_one_parent": (
        lambda: run(
            changed((3, 4), 3, LEAVES).reshape(2, 2, N, K), xs=XS.reshape(2, 2, N, -1)
        ),
        ValueError(
            "`children` must have one parent each, but node 3 of tree (1, 1) is a "
            "child of 4 and of 4"
        ),
    ),
    "length_above_the_nodes": (
        lambda: run(lengths=[8, 1, 1, 1]),
        ValueError("`lengths` must lie in [0, T] = [0, 7], got 8"),
    ),
    "more_children_than_the_arity": (
        lambda: jr.unroll_tree(
            jr.NaryTreeLSTM(H, arity=1), draw_params(BINARY), XS, CHILDREN
        ),
        ValueError("NaryTreeLSTM(5, arity=1) merges at most 1 children, got 2"),
    ),
}


@pytest.mark.parametrize("call, error", ERRORS.values(), ids=ERRORS)
def test_a_bad_input_is_an_error(call, error):
    with pytest.raises(type(error)) as raised:
        call()
    assert str(raised.value) == str(error)


class Forgetful(jr.ChildSumTreeLSTM):
    """A cell whose `merge` hands on another carry than it began with."""

    def merge(self, ready, children, child_mask, z):
        carry, y = super().merge(ready, children, child_mask, z)
        return carry.hidden, y


def test_a_carry_of_another_kind_is_an_error():
    with pytest.raises(ValueError) as raised:
        run(cell=Forgetful(H))
    assert str(raised.value) == (
        "`merge` of Forgetful(5) must return a carry like the cell's initial carry, of "
        "the same tree, shapes and dtypes; expected the leaves carry.hidden, "
        "carry.cell, got carry"
    )


def test_children_of_lists_and_of_any_integers():
    plain = run()
    for children in (CHILDREN.tolist(), CHILDREN.astype(np.int8), jnp.int32(CHILDREN)):
        same_bits(run(children), plain)


def test_where_they_cannot_be_looked_at_children_that_come_later_are_none():
    bad = changed((0, 2), [2, 99], LEAVES)
    close(jax.jit(run)(jnp.asarray(bad)), run(LEAVES))


def test_no_trees_and_no_nodes():
    carries, ys = run(CHILDREN[:0], xs=XS[:0])
    assert (carries.cell.shape, ys.shape) == ((0, N, H), (0, N, H))
    carries, ys = run(CHILDREN[:, :0], xs=XS[:, :0])
    assert (carries.cell.shape, ys.shape) == ((B, 0, H), (B, 0, H))
