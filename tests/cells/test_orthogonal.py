"""The matrix of an `OrthogonalRNN` is orthogonal, and is the one that is meant."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.linalg
from jax.test_util import check_grads

import jaxrnn as jr
from jaxrnn.cells.orthogonal import modrelu
from laws.harness import close, finite

N, H = 3, 6
PARAMETRISATIONS = ["cayley", "exponential", "householder"]
each = pytest.mark.parametrize("parametrisation", PARAMETRISATIONS)


def matrix(cell, params):
    return np.asarray(cell.prepare(params)["recurrent_kernel"])


def reflections(V):
    """Q_1 Q_2 ... Q_K, one after the other."""
    Q = [np.eye(V.shape[1]) - 2 * np.outer(v, v) / (v @ v) for v in V]
    return functools.reduce(np.matmul, Q)


def cayley(S):
    A, one = S - S.T, np.eye(len(S))
    return np.linalg.inv(one + A) @ (one - A)


EQUATIONS = {
    "cayley": ("skew_kernel", cayley),
    "exponential": ("skew_kernel", lambda S: scipy.linalg.expm(S - S.T)),
    "householder": ("reflection_kernel", reflections),
}


@pytest.mark.parametrize("scale", [0.0, 1e-3, 1.0, 5.0])
@each
def test_the_matrix_is_that_of_the_equation(parametrisation, scale):
    cell = jr.OrthogonalRNN(H, parametrisation)
    name, equation = EQUATIONS[parametrisation]
    source = np.random.default_rng(0).normal(size=(H, H)) * (scale or 1)
    if scale == 0 and parametrisation != "householder":
        source = np.zeros((H, H))  # where there is no rotation
    params = {name: jnp.asarray(source)}
    params |= {"kernel": jnp.ones((N, H)), "bias": jnp.ones(H)}
    close(matrix(cell, params), equation(source), 1e-12)


@pytest.mark.parametrize("K", [1, 2, 5, 9])
def test_any_number_of_reflections(K):
    cell = jr.OrthogonalRNN(H, "householder", reflections=K)
    params = jax.tree.map(jnp.float64, cell.init(jax.random.key(0), N))
    V = np.asarray(params["reflection_kernel"])
    assert V.shape == (K, H)
    close(matrix(cell, params), reflections(V))
    assert np.linalg.det(matrix(cell, params)) == pytest.approx((-1) ** K)


@each
def test_gradients_of_the_matrix_are_differences(parametrisation):
    cell = jr.OrthogonalRNN(H, parametrisation)
    params = jax.tree.map(jnp.float64, cell.init(jax.random.key(0), N))
    build = lambda params: cell.prepare(params)["recurrent_kernel"]
    for mode in ("fwd", "rev"):
        check_grads(build, (params,), 2, modes=[mode])


@each
def test_gradients_are_finite_where_all_is_zero(parametrisation):
    cell = jr.OrthogonalRNN(H, parametrisation)
    params = cell.init(jax.random.key(0), N)

    def loss(params, xs, carry):
        carry, ys = jr.unroll(cell, params, xs, carry)
        return ys.sum() + (carry - 1).sum() ** 2

    zeros = jnp.zeros((4, 2, N), jnp.float32), jnp.zeros((2, H), jnp.float32)
    slopes = jax.grad(loss, (0, 1, 2))(params, *zeros)
    finite(slopes)
    assert np.any(slopes[2])  # and a net at rest can learn


def test_modrelu_is_its_equation():
    a = np.linspace(-2, 2, 41)
    for bias in (-0.7, 0.0, 0.7):
        expected = np.sign(a) * np.maximum(np.abs(a) + bias, 0)
        close(modrelu(jnp.asarray(a), jnp.asarray(bias)), expected)
        finite(jax.vmap(jax.grad(modrelu), (0, None))(a, bias), 1)


def test_a_named_activation_takes_the_bias_in():
    cell = jr.OrthogonalRNN(H, activation="tanh")
    params = jax.tree.map(jnp.float64, cell.init(jax.random.key(0), N))
    params["bias"] = jnp.arange(H, dtype=float)
    x, h = np.ones(N), np.linspace(-1, 1, H)
    ready = cell.prepare(params)
    U = ready["recurrent_kernel"]
    expected = np.tanh(x @ params["kernel"] + h @ U + params["bias"])
    close(cell.step(ready, jnp.asarray(h), jnp.asarray(x))[1], expected)


@each
def test_half_precision_builds_in_single(parametrisation):
    single = jr.OrthogonalRNN(32, parametrisation)
    params = single.init(jax.random.key(0), N)
    ready = single.replace(dtype="bfloat16").prepare(params)
    rounded = single.prepare(params)["recurrent_kernel"].astype("bfloat16")
    assert ready["recurrent_kernel"].dtype == "bfloat16"
    assert ready["bias"].dtype == "float32"
    np.testing.assert_array_equal(ready["recurrent_kernel"], rounded)


def train(loss, params, steps):
    """The parameters after some steps of Adam, in one program."""
    optimizer = optax.adam(3e-3)

    def step(state, _):
        params, moments = state
        updates, moments = optimizer.update(jax.grad(loss)(params), moments)
        return (optax.apply_updates(params, updates), moments), None

    run = lambda state: jax.lax.scan(step, state, length=steps)[0]
    return jax.jit(run)((params, optimizer.init(params)))[0]


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize(
    "parametrisation, steps",
    [
        ("cayley", 50),
        *(pytest.param(p, 1000, marks=pytest.mark.slow) for p in PARAMETRISATIONS),
    ],
)
def test_the_matrix_stays_orthogonal_in_training(parametrisation, steps):
    cell = jr.OrthogonalRNN(128, parametrisation)
    params = cell.init(jax.random.key(0), N)
    xs = jax.random.normal(jax.random.key(1), (2, 4, N), "float32")
    target = jax.random.normal(jax.random.key(2), (4, 128), "float32")

    def loss(params):
        return jnp.square(jr.unroll(cell, params, xs)[0] - target).mean()

    trained = train(loss, params, steps)
    assert loss(trained) < loss(params)
    for U in (matrix(cell, params), matrix(cell, trained)):
        assert U.dtype == np.float32
        exact = U.astype(np.float64)
        assert np.abs(exact.T @ exact - np.eye(128)).max() <= 1e-5


ERRORS = {
    "parametrisation": (
        lambda: jr.OrthogonalRNN(4, "qr"),
        "`parametrisation` must be one of 'cayley', 'exponential', 'householder', "
        "got 'qr'",
    ),
    "activation": (
        lambda: jr.OrthogonalRNN(4, activation="mod"),
        "`activation` must be a function or a name such as 'tanh', 'relu', 'sigmoid', "
        "'identity', got 'mod'",
    ),
    "reflections_of_cayley": (
        lambda: jr.OrthogonalRNN(4, reflections=2),
        "`reflections` are those of parametrisation='householder', got 2 with 'cayley'",
    ),
    "no_reflections": (
        lambda: jr.OrthogonalRNN(4, "householder", reflections=0),
        "`reflections` must be at least 1, got 0",
    ),
}


@pytest.mark.parametrize("call, message", ERRORS.values(), ids=ERRORS)
def test_a_bad_field_is_an_error(call, message):
    with pytest.raises(ValueError) as raised:
        call()
    assert str(raised.value) == message
