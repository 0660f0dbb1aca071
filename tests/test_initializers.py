"""Initial weights: singular values, moments, and any shape and dtype."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrnn import OrthogonalRNN
from jaxrnn.initializers import (
    Chrono,
    GlorotUniform,
    Identity,
    LecunNormal,
    Normal,
    NormalizedPositive,
    Orthogonal,
    Rotations,
    Uniform,
    Whole,
    Zeros,
    per_gate,
)

KEY = jax.random.key(0, impl="unsafe_rbg")  # its programs compile in half the time
SQUARE = [NormalizedPositive(), Rotations()]
ANY = [
    Orthogonal(0.5),
    Identity(2.0),
    Normal(),
    Uniform(),
    LecunNormal(),
    GlorotUniform(),
    Zeros(),
    Chrono(9),
    Whole(Orthogonal()),
]
# How near singular values come to what they were before rounding.
NEAR = {"float64": 1e-12, "bfloat16": 0.02}


def drawn(init, shape, dtype="float64"):
    return np.asarray(init(KEY, shape, jnp.dtype(dtype)).astype("float64"))


def moments(values, mean, stddev):
    """Mean and deviation, within five deviations of theirs for kurtosis up to 3."""
    near = 5 * stddev / np.sqrt(values.size)
    assert abs(values.mean() - mean) < near
    assert abs(values.std() - stddev) < near


@pytest.mark.parametrize("init", ANY + SQUARE, ids=str)
@pytest.mark.parametrize(
    "dtype", ["bfloat16", pytest.param("float32", marks=pytest.mark.slow)]
)
def test_weights_are_finite_in_their_dtype(init, dtype):
    for shape in [(4, 4)] if init in SQUARE else [(6, 4), (4, 6)]:
        weights = init(KEY, shape, jnp.dtype(dtype))
        assert (weights.shape, weights.dtype) == (shape, dtype)
        assert np.all(np.isfinite(weights.astype("float64")))


@pytest.mark.parametrize("init", ANY + SQUARE, ids=str)
def test_there_may_be_no_weights(init):
    for shape in [(0, 0)] if init in SQUARE else [(0, 3), (3, 0), (0, 0)]:
        assert init(KEY, shape, jnp.bfloat16).shape == shape


@pytest.mark.parametrize("init", ANY + SQUARE, ids=str)
def test_a_key_draws_the_same_again(init):
    np.testing.assert_array_equal(drawn(init, (4, 4)), drawn(init, (4, 4)))


@pytest.mark.parametrize("dtype", NEAR)
@pytest.mark.parametrize("shape", [(4, 4), (6, 4), (4, 6)], ids=str)
def test_orthogonal_matrices_have_one_singular_value(shape, dtype):
    values = np.linalg.svd(drawn(Orthogonal(0.5), shape, dtype))[1]
    np.testing.assert_allclose(values, 0.5, rtol=NEAR[dtype])


@pytest.mark.parametrize("shape", [(4, 4), (6, 4), (4, 6)], ids=str)
def test_every_gate_is_orthogonal_on_its_own(shape):
    gates = np.split(np.asarray(per_gate(Orthogonal(), KEY, shape, gates=3)), 3, axis=1)
    for gate in gates:
        np.testing.assert_allclose(np.linalg.svd(gate)[1], 1, rtol=1e-5)
    assert not np.allclose(gates[0], gates[1])


def test_drawn_whole_only_the_whole_is_orthogonal():
    U = np.asarray(per_gate(Whole(Orthogonal()), KEY, (4, 4), gates=3))
    np.testing.assert_allclose(np.linalg.svd(U)[1], 1, rtol=1e-5)
    assert np.linalg.svd(U[:, :4])[1].min() < 0.9


@pytest.mark.parametrize("dtype", NEAR)
def test_normalized_positive_matrices_have_eigenvalues_up_to_one(dtype):
    size = 60
    U = drawn(NormalizedPositive(), (size, size), dtype)
    np.testing.assert_array_equal(U, U.T)
    values = np.linalg.eigvalsh(U)
    assert values[-1] == pytest.approx(1, abs=NEAR[dtype])
    # R^T R / H has eigenvalues from 0 to about 4, so A from 1 to about 5.
    assert 1 / 5.5 < values[0] < 1 / 4.5


def test_normalized_positive_matrices_are_square():
    message = "`NormalizedPositive` is square, got the shape (3, 4)"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        NormalizedPositive()(KEY, (3, 4))


@pytest.mark.parametrize("shape", [(300, 200), (200, 300)], ids=str)
def test_weights_have_the_deviation_that_is_documented(shape):
    n, m = shape
    deviations = {
        Normal(0.3): 0.3,
        Uniform(0.3): 0.3 / np.sqrt(3),
        LecunNormal(): 1 / np.sqrt(n),
        GlorotUniform(): np.sqrt(2 / (n + m)),
    }
    for init, stddev in deviations.items():
        moments(drawn(init, shape), 0, stddev)
    assert np.abs(drawn(GlorotUniform(), shape)).max() <= np.sqrt(6 / (n + m))


def test_the_fan_is_that_of_a_gate_or_of_the_whole():
    n, m, G = 200, 100, 4
    alone = np.asarray(per_gate(GlorotUniform(), KEY, (n, m), gates=G))
    whole = np.asarray(per_gate(Whole(GlorotUniform()), KEY, (n, m), gates=G))
    assert alone.shape == whole.shape == (n, G * m)
    moments(alone, 0, np.sqrt(2 / (n + m)))
    moments(whole, 0, np.sqrt(2 / (n + G * m)))


@pytest.mark.parametrize("dtype", NEAR)
@pytest.mark.parametrize("longest", [3, 784])
def test_chrono_biases_remember_for_up_to_so_many_steps(longest, dtype):
    times = np.exp(drawn(Chrono(longest), (4000,), dtype))
    near = 1 + 8 * NEAR[dtype]
    assert 1 / near <= times.min() and times.max() <= (longest - 1) * near
    if dtype != "bfloat16":  # whose rounding is no longer small against the deviation
        moments(times, longest / 2, (longest - 2) / np.sqrt(12))


@pytest.mark.parametrize("longest", [2, 1, 0, -1])
def test_chrono_needs_three_steps(longest):
    message = f"^`longest` must be at least [13], got {longest}$"
    with pytest.raises(ValueError, match=message):
        Chrono(longest)


def test_chrono_counts_steps():
    with pytest.raises(TypeError, match=r"^`longest` must be an integer, got 9\.5$"):
        Chrono(9.5)


@pytest.mark.parametrize("parametrisation", ["cayley", "exponential"])
@pytest.mark.parametrize(
    "hidden_size", [7, *(pytest.param(n, marks=pytest.mark.slow) for n in (6, 1))]
)
def test_planes_turn_by_the_angles_drawn(parametrisation, hidden_size):
    init = Rotations(1.25, parametrisation)
    cell = OrthogonalRNN(
        hidden_size, parametrisation=parametrisation, recurrent_init=init
    )
    params = cell.init(KEY, 2)
    turns = np.diagonal(params["skew_kernel"], -1)[::2]
    turns = 2 * np.arctan(turns) if parametrisation == "cayley" else turns
    assert np.all((turns > 0) & (turns < 1.25))
    angles = np.angle(np.linalg.eigvals(cell.prepare(params)["recurrent_kernel"]))
    still = [0.0] * (hidden_size % 2)
    expected = np.sort([*turns, *-turns, *still])
    np.testing.assert_allclose(np.sort(angles), expected, atol=1e-6)


@pytest.mark.parametrize(
    "given, words",
    [
        ({"most": 0.0}, "`most` must be in (0, pi), got 0.0"),
        ({"most": 3.5}, "`most` must be in (0, pi), got 3.5"),
        ({"parametrisation": "householder"}, "parametrisation"),
    ],
    ids=str,
)
def test_rotations_that_no_cell_could_start_with(given, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        Rotations(**given)
