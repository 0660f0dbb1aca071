"""Step Jacobians, their products and their spectra: those of the whole, and NumPy's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from jaxrnn.gradflow import jacobians, measure, spectral_radius
from jaxrnn.gradflow.spectra import bound

T, B, N, H = 6, 3, 2, 4
_rng = np.random.default_rng(0)
XS = jnp.asarray(_rng.normal(size=(T, B, N)))
LENGTHS = np.array([6, 4, 0])
LSTM, ELMAN = (cell(H, param_dtype="float64") for cell in (jr.LSTM, jr.Elman))


def total(ys):
    return jnp.sum(ys**2)


def from_to(cell, params, row, first):
    """dc_T/dc_first of a row, by differentiating the whole."""
    start = cell.initial_carry(params, ())
    vector = lambda carry: jnp.concatenate(jax.tree.leaves(carry))
    part = lambda a, n: jnp.split(a, n) if n > 1 else [a]
    tree, count = jax.tree.structure(start), len(jax.tree.leaves(start))
    steps = int(LENGTHS[row])
    carry = start
    if first:
        carry, _ = jr.unroll(cell, params, XS[:first, row], start)
    rest = XS[first:steps, row]

    def last(state):
        begin = jax.tree.unflatten(tree, part(state, count))
        return vector(jr.unroll(cell, params, rest, begin)[0])

    return np.asarray(jax.jacobian(last)(vector(carry)))


@pytest.mark.slow
def test_products_of_steps_are_the_jacobian_of_the_whole():
    params = parameters(LSTM, N)
    found = jacobians(LSTM, params, XS, lengths=LENGTHS, rows=B)["LSTM"]
    assert found.shape == (T, B, 2 * H, 2 * H)
    for row, first in ((0, 0), (0, 4), (1, 2)):
        product = np.eye(2 * H)
        for J in np.asarray(found[first:, row]):
            product = J @ product
        np.testing.assert_allclose(
            product, from_to(LSTM, params, row, first), rtol=1e-8
        )
    np.testing.assert_array_equal(
        found[:, 2], np.broadcast_to(np.eye(2 * H), (T, 8, 8))
    )


def test_spectra_are_those_of_numpy():
    params = parameters(LSTM, N)
    (layer,) = measure(
        LSTM, params, XS, total, lengths=LENGTHS, rows=2, distances=1
    ).layers.values()
    J = np.asarray(jacobians(LSTM, params, XS, lengths=LENGTHS, rows=2)["LSTM"])
    values, radius, product, bound = layer.spectra
    np.testing.assert_allclose(values, np.linalg.svd(J, compute_uv=False), rtol=1e-6)
    eigenvalues = np.abs(np.linalg.eigvals(J)).max(axis=-1)
    np.testing.assert_allclose(radius, eigenvalues, rtol=1e-3)
    after = np.broadcast_to(np.eye(2 * H), J.shape[1:])
    for t in reversed(range(T)):
        norm = np.linalg.norm(after, 2, axis=(-2, -1))
        np.testing.assert_allclose(10 ** product[t], norm, rtol=1e-6)
        after = after @ J[t]
    assert bound is None


@pytest.mark.slow
@pytest.mark.parametrize("leak", [1.0, 0.3])
def test_no_product_exceeds_the_bound(leak):
    cell = jr.Elman(H, activation="sigmoid", leak=leak, param_dtype="float64")
    params = parameters(cell, N)
    (layer,) = measure(cell, params, XS, total, rows=B).layers.values()
    U = np.asarray(params["recurrent_kernel"])
    expected = np.log10((1 - leak) + leak * np.linalg.norm(U, 2) / 4)
    assert float(layer.spectra.bound) == pytest.approx(expected)
    steps = np.arange(T)[::-1, None]
    assert (layer.spectra.product <= steps * expected + 1e-12).all()
    assert (layer.spectra.product[-1] == 0).all()


@pytest.mark.slow
def test_long_products_neither_vanish_nor_overflow():
    cell = jr.Elman(2, activation="identity", param_dtype="float64")
    params = parameters(cell, N)
    for factor in (1e-3, 1e3):
        params["recurrent_kernel"] = factor * jnp.eye(2)
        (layer,) = measure(
            cell, params, jnp.zeros((400, N)), lambda ys: ys[-1].sum(), distances=1
        ).layers.values()
        expected = np.log10(factor) * np.arange(400)[::-1]
        np.testing.assert_allclose(layer.spectra.product[:, 0], expected, atol=1e-9)


def soft_norm(x):
    return x / jnp.sqrt(1 + jnp.sum(x**2, axis=-1, keepdims=True))


@pytest.mark.parametrize(
    ("f", "steepest"),
    [
        ("tanh", 1),
        ("sigmoid", 0.25),
        ("softplus", 1),
        ("hard_sigmoid", 1 / 6),
        ("softmax", None),
        pytest.param(soft_norm, None, id="soft_norm"),
        pytest.param(jnp.square, None, id="square"),
    ],
)
def test_bound_of_an_activation(f, steepest):
    found = bound(jr.Elman(2, activation=f), {"recurrent_kernel": 3.0 * jnp.eye(2)})
    if steepest is None:
        assert found is None
    else:
        assert 10**found == pytest.approx(3 * steepest, rel=1e-5)


class Another(jr.Elman):
    """Its parameters are those of an `Elman`, its step is not."""


def test_no_other_cell_has_a_bound():
    ready = {"recurrent_kernel": jnp.eye(H)}
    for cell in (jr.OrthogonalRNN(H), Another(H), jr.Elman(H, layer_norm=True)):
        assert bound(cell, ready) is None


@pytest.mark.slow
def test_complex_states_are_twice_as_many_numbers():
    """||dc/dc'|| of a unitary step is 1 wherever all units are open."""
    cell = jr.UnitaryRNN(H, param_dtype="float64")
    params = parameters(cell, N) | {"bias": jnp.ones(H)}
    loss = lambda ys: jnp.sum(jnp.sin(ys))
    flow = measure(cell, params, XS, loss)
    (layer,) = flow.layers.values()
    assert layer.spectra.singular_values.shape == (T, 1, 2 * H)
    ((_, norm),) = layer.norms.items()
    assert norm.dtype == jnp.float64 and (norm > 0).all()
    for share in layer.distances.shares.values():
        assert float(share.sum()) == pytest.approx(1)
    assert flow.verdict() and flow.plot()


def test_spectral_radius_of_matrices_that_are_not_normal():
    matrices = _rng.normal(size=(5, 7, 7))
    expected = np.abs(np.linalg.eigvals(matrices)).max(axis=-1)
    np.testing.assert_allclose(spectral_radius(jnp.asarray(matrices)), expected, 1e-3)
    assert float(spectral_radius(jnp.triu(jnp.ones((3, 3)), 1))) == 0
    for factor in (1e-200, 1e200):
        far = spectral_radius(factor * jnp.asarray(matrices))
        np.testing.assert_allclose(far, factor * expected, 1e-3)
