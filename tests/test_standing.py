"""What stands in memory is what it was, and compiles to a branch on a CPU."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from jaxrnn.standing import standing


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32, jnp.float64])
@pytest.mark.parametrize("first", [-1.5, 1.5, -0.0, np.nan, -np.inf, np.inf])
def test_every_number_is_itself(first, dtype):
    x = jnp.array([first, -0.0, 0.0, np.nan, np.inf, -np.inf, 3.0], dtype)
    for found in (standing(x), jax.jit(standing)(x), jax.vmap(standing)(x)):
        assert np.asarray(found).tobytes() == np.asarray(x).tobytes()


def test_of_nothing():
    assert jax.jit(standing)(jnp.zeros((0, 3))).shape == (0, 3)


def test_derivatives_pass():
    function = lambda x: jnp.sum(jnp.sin(standing(x) ** 2))
    plain = lambda x: jnp.sum(jnp.sin(x**2))
    x = jax.random.normal(jax.random.key(0), (5,), jnp.float64)
    for derivative in (jax.grad, jax.hessian, jax.jacfwd):
        found = jax.jit(derivative(function))(x)
        np.testing.assert_allclose(found, derivative(plain)(x), 1e-12, 1e-12)


def test_the_gates_of_a_step_are_computed_once():
    # In a loop of their own: fused with the candidate they take four times as long.
    cell = jr.GRU(64, reset="after")
    params = jax.eval_shape(lambda: cell.init(jax.random.key(0), 32))
    xs = jax.ShapeDtypeStruct((20, 16, 32), jnp.float32)
    run = jax.jit(lambda params, xs: jr.unroll(cell, params, xs)[1])
    assert run.lower(params, xs).compile().as_text().count(" conditional(") == 1
