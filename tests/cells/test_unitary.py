"""The U of a `UnitaryRNN` is unitary, and is the product that is meant."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxrnn as jr
from jaxrnn.cells.unitary import modrelu
from laws.harness import close, finite

N, H = 3, 6


def matrix(cell, params):
    """U, whose columns are U e_j."""
    ready, size = cell.prepare(params), cell.hidden_size
    basis = jnp.eye(size, dtype=ready["phases"][0].dtype)
    return np.asarray(cell.turn(ready, basis)).T


def factors(params, seed, size):
    """D_3 R_2 F^-1 D_2 P R_1 F D_1 as matrices."""
    phases, parts = np.asarray(params["phases"]), np.asarray(params["reflections"])
    v = parts[:, :size] + 1j * parts[:, size:]
    D1, D2, D3 = (np.diag(np.exp(1j * p)) for p in phases)
    R1, R2 = (np.eye(size) - 2 * np.outer(a, a.conj()) / np.vdot(a, a).real for a in v)
    j = np.arange(size)
    F = np.exp(-2j * np.pi * np.outer(j, j) / size) / np.sqrt(size)
    P = np.eye(size)[np.random.default_rng(seed).permutation(size)]
    return D3 @ R2 @ F.conj().T @ D2 @ P @ R1 @ F @ D1


def parameters(cell):
    return jax.tree.map(jnp.float64, cell.init(jax.random.key(0), N))


@pytest.mark.parametrize("seed", [0, 1])
def test_the_matrix_is_that_of_the_equation(seed):
    cell = jr.UnitaryRNN(H, seed=seed)
    params = parameters(cell)
    expected = factors(params, seed, H)
    np.testing.assert_allclose(matrix(cell, params), expected, 1e-12, 1e-12)


def test_a_step_is_its_equation():
    cell = jr.UnitaryRNN(H)
    params = parameters(cell) | {"bias": jnp.linspace(-1, 1, H)}
    rng = np.random.default_rng(0)
    x, carry = rng.normal(size=N), rng.normal(size=2 * H)
    Vx = x @ np.asarray(params["kernel"])
    a = factors(params, 0, H) @ (carry[:H] + 1j * carry[H:]) + Vx[:H] + 1j * Vx[H:]
    h = np.maximum(np.abs(a) + np.asarray(params["bias"]), 0) * a / np.abs(a)
    got, y = cell.step(cell.prepare(params), jnp.asarray(carry), jnp.asarray(x))
    close(got, np.concatenate([h.real, h.imag]))
    close(y, got)


def test_no_matrix_is_written_out():
    cell = jr.UnitaryRNN(64)
    params = cell.init(jax.random.key(0), N)
    run = lambda params, xs: jr.unroll(cell, params, xs)[1].sum()
    program = str(jax.make_jaxpr(jax.grad(run))(params, jnp.ones((4, 2, N), "float32")))
    assert "[64,64]" not in program
    assert "c64[2,64]" in program


def test_gradients_are_finite_where_all_is_zero():
    cell = jr.UnitaryRNN(H)
    params = cell.init(jax.random.key(0), N)

    def loss(params, xs, carry):
        carry, ys = jr.unroll(cell, params, xs, carry)
        return ys.sum() + (carry - 1).sum() ** 2

    zeros = jnp.zeros((4, 2, N), jnp.float32), jnp.zeros((2, 2 * H), jnp.float32)
    slopes = jax.grad(loss, (0, 1, 2))(params, *zeros)
    finite(slopes, 1e4)
    assert np.any(slopes[2])  # and a net at rest can learn


@pytest.mark.parametrize("bias", [-0.7, 0.0, 0.7])
def test_modrelu_is_its_equation(bias):
    rng = np.random.default_rng(0)
    a = rng.normal(size=9) + 1j * rng.normal(size=9)
    h = np.maximum(np.abs(a) + bias, 0) * a / np.abs(a)
    close(modrelu(jnp.asarray(a), jnp.asarray(bias)), np.concatenate([h.real, h.imag]))


@pytest.mark.parametrize("size", [0.0, 1e-40, 1e-30, 1e30])
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_modrelu_is_finite_at_any_size(size, dtype):
    a = jnp.asarray([size, 1j * size], dtype)
    finite(modrelu(a, jnp.ones(2, a.real.dtype)), 2 + 2 * size)


def test_half_precision_turns_in_single():
    cell = jr.UnitaryRNN(H, dtype="bfloat16")
    ready = cell.prepare(cell.init(jax.random.key(0), N))
    assert ready["kernel"].dtype == "bfloat16"
    assert {a.dtype.name for a in (*ready["phases"], *ready["reflections"])} == {
        "complex64"
    }


@pytest.mark.slow
@pytest.mark.usefixtures("standard_promotion")
def test_the_matrix_stays_unitary_in_training():
    cell = jr.UnitaryRNN(128)
    params = cell.init(jax.random.key(0), N)
    xs = jax.random.normal(jax.random.key(1), (2, 4, N), "float32")
    target = jax.random.normal(jax.random.key(2), (4, 256), "float32")
    optimizer = optax.adam(3e-3)

    def loss(params):
        return jnp.square(jr.unroll(cell, params, xs)[0] - target).mean()

    def step(state, _):
        params, moments = state
        updates, moments = optimizer.update(jax.grad(loss)(params), moments)
        return (optax.apply_updates(params, updates), moments), None

    run = jax.jit(lambda state: jax.lax.scan(step, state, length=1000)[0])
    trained, _ = run((params, optimizer.init(params)))
    assert loss(trained) < 0.5 * loss(params)
    for U in (matrix(cell, params), matrix(cell, trained)):
        assert U.dtype == np.complex64
        exact = U.astype(np.complex128)
        assert np.abs(exact.conj().T @ exact - np.eye(128)).max() <= 1e-5


@pytest.mark.parametrize("seed", [-1, 1.0, None, True])
def test_a_bad_seed_is_an_error(seed):
    with pytest.raises(ValueError) as raised:
        jr.UnitaryRNN(4, seed=seed)
    expected = f"`seed` must be an integer of at least 0, got {seed!r}"
    assert str(raised.value) == expected
