"""Norms of gradients: those of a loop written out, whose states are perturbed."""

import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from jaxrnn.gradflow import measure
from jaxrnn.gradflow.sizes import size
from jaxrnn.unroll.masks import select
from laws.harness import compilations

T, B, N, H = 6, 4, 3, 5
_rng = np.random.default_rng(0)
XS = jnp.asarray(_rng.normal(size=(T, B, N)))
WEIGHTS = jnp.asarray(_rng.normal(size=(T, B, H)))
LENGTHS = np.array([6, 2, 0, 5])
MASK = np.arange(T)[:, None] < LENGTHS
ELMAN, GRU, LSTM = (
    cell(H, param_dtype="float64") for cell in (jr.Elman, jr.GRU, jr.LSTM)
)
OPTIONS = {"rows": 0, "distances": 1}


def weighted(ys):
    return jnp.sum(jnp.sin(ys) * WEIGHTS)


def run(cell, params, xs, taps, *, mask=MASK, backward=False):
    """Step by step; what is tapped is the state that a step leaves, and so puts out."""
    carry = cell.initial_carry(params, (B,))
    ys = [None] * T
    for t in reversed(range(T)) if backward else range(T):
        following, _ = cell.step(params, carry, xs[t])
        now = jax.tree.map(operator.itemgetter(t), taps)
        following = jax.tree.map(jnp.add, following, now)
        carry = select(jnp.asarray(mask[t]), following, carry)
        ys[t] = jnp.where(mask[t][:, None], cell.hidden(following), 0)
    return jnp.stack(ys)


def zeros(cell, params):
    start = cell.initial_carry(params, (B,))
    return jax.tree.map(lambda a: jnp.zeros((T, *a.shape)), start)


def norms(taps):
    sizes = [np.linalg.norm(leaf, axis=-1) for leaf in jax.tree.leaves(taps)]
    return np.stack(sizes)


def assert_norms(layer, expected):
    np.testing.assert_allclose(
        np.stack(list(layer.norms.values())), expected, rtol=1e-9, atol=1e-12
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "cell",
    [ELMAN, GRU, LSTM],
    ids=repr,
)
def test_of_a_cell(cell):
    params = parameters(cell, N)
    flow = measure(cell, params, XS, weighted, lengths=LENGTHS, **OPTIONS)
    value = jax.jit(lambda taps: weighted(run(cell, params, XS, taps)))
    taps = zeros(cell, params)
    (layer,) = flow.layers.values()
    assert_norms(layer, norms(jax.grad(value)(taps)))
    assert flow.loss == pytest.approx(value(taps))
    assert flow.lengths.tolist() == LENGTHS.tolist()
    # Central differences, of one state that is real.
    place, step = (3, 0), 1e-5
    for index, name in enumerate(layer.norms):
        leaf = jax.tree.leaves(taps)[index]
        moved = []
        for unit in range(H):
            around = []
            for sign in (step, -step):
                other = list(jax.tree.leaves(taps))
                other[index] = leaf.at[(*place, unit)].set(sign)
                around.append(
                    value(jax.tree.unflatten(jax.tree.structure(taps), other))
                )
            moved.append((around[0] - around[1]) / (2 * step))
        expected = np.linalg.norm(moved)
        assert float(layer.norms[name][place]) == pytest.approx(expected, rel=1e-6)


def test_of_a_stack_and_both_directions():
    bottom, top = ELMAN, jr.Bidirectional(GRU, LSTM, merge="sum")
    model = jr.Stack(bottom, top, param_dtype="float64")
    params = model.init(jax.random.key(0), N)
    flow = measure(model, params, XS, weighted, lengths=LENGTHS, **OPTIONS)
    assert list(flow.layers) == ["0 Elman", "1.0 GRU", "1.1 LSTM backward"]
    own = params[1]["forward"], params[1]["backward"]

    def value(taps):
        hs = run(bottom, params[0], XS, taps[0])
        ahead = run(GRU, own[0], hs, taps[1])
        return weighted(ahead + run(LSTM, own[1], hs, taps[2], backward=True))

    taps = (zeros(bottom, params[0]), zeros(GRU, own[0]), zeros(LSTM, own[1]))
    gradients = jax.jit(jax.grad(value))(taps)
    for layer, gradient in zip(flow.layers.values(), gradients, strict=True):
        assert_norms(layer, norms(gradient))


@pytest.mark.slow
def test_what_stands_in_padding_does_not_count():
    other = jnp.where(MASK[..., None], XS, jnp.nan)
    params = parameters(ELMAN, N)
    one, two = (
        measure(ELMAN, params, xs, weighted, mask=jnp.asarray(MASK), distances=4)
        for xs in (XS, other)
    )
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (one.layers["Elman"].norms["hidden"][~MASK] == 0).all()


@pytest.mark.slow
def test_batch_major_and_losses_of_steps():
    params = parameters(ELMAN, N)
    squares = lambda ys, targets: jnp.mean((ys - targets) ** 2, axis=-1)
    targets = jnp.asarray(_rng.normal(size=(T, B, H)))
    one = measure(
        ELMAN, params, XS, squares, targets=targets, lengths=LENGTHS, **OPTIONS
    )
    rows = lambda a: jnp.swapaxes(a, 0, 1)
    two = measure(
        ELMAN,
        params,
        rows(XS),
        squares,
        targets=rows(targets),
        lengths=LENGTHS,
        time_axis=1,
        **OPTIONS,
    )
    loss, _ = jr.unroll_loss(ELMAN, params, XS, targets, squares, lengths=LENGTHS)
    assert one.loss == pytest.approx(loss)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_one_compilation_a_shape():
    params = parameters(ELMAN, N)
    loss = lambda ys, target: jnp.sum((ys - target) ** 2)
    look = lambda xs, target: measure(
        ELMAN, params, xs, loss, targets=target, **OPTIONS
    )
    look(XS, WEIGHTS)
    others = XS + 1, WEIGHTS - 1
    with compilations() as compiled:
        look(*others)
    assert compiled == []


def test_norms_of_what_is_zero_for_sure_are_not_computed_by_the_compiler():
    # XLA's own evaluation of a constant takes seconds where a program takes none.
    program = jax.jit(lambda: size(jnp.zeros((3, 4, 5)), 2)).lower().compile()
    assert "reduce" in program.as_text()
    np.testing.assert_array_equal(program(), np.zeros((3, 4)))
