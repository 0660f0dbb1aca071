"""Where linear cells begin, and what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from laws.harness import close

KEY, N = jax.random.key(0), 3


def moduli(cell, **options):
    """How much of its state a cell keeps in a step."""
    ready = cell.prepare(cell.replace(**options).init(KEY, N))
    if isinstance(cell, jr.LRU | jr.S5):
        real, imaginary = jnp.split(ready["eigenvalues"], 2)
        return jnp.hypot(real, imaginary)
    return jnp.exp(-ready["decay"]) if isinstance(cell, jr.RGLRU) else ready["decay"]


BEGINNINGS = {
    "diagonal_linear": (jr.DiagonalLinear(500), 0.5, 0.999),
    "rg_lru": (jr.RGLRU(500), 0.9, 0.999),
    "lru": (jr.LRU(4, 500), 0.9, 0.999),
    "s5": (jr.S5(4, 500), np.exp(-0.05), np.exp(-0.0005)),
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("cell, least, most", BEGINNINGS.values(), ids=BEGINNINGS)
def test_states_decay_as_stated(cell, least, most, dtype):
    found = np.asarray(moduli(cell, param_dtype=dtype))
    coarse = 1e-5 if dtype == "float32" else 0.02
    assert least - coarse < found.min() < least + 0.02
    assert most - 0.02 < found.max() < min(1, most + coarse)


def test_the_state_of_an_lru_begins_with_the_variance_of_its_inputs():
    cell = jr.LRU(4, 200, r_max=0.99)
    xs = jax.random.normal(KEY, (2000, 8, N), jnp.float32)
    carry, _ = jr.unroll(cell, cell.init(KEY, N), xs)
    assert 0.8 < float(jnp.sum(carry**2) / carry.size * 2) < 1.2


def test_s5_is_the_differential_equation_between_two_inputs():
    """Many small steps of Euler's, for an input that is held."""
    cell, count = jr.S5(2, 3), 10_000
    params = jax.tree.map(np.float64, cell.init(KEY, N))
    x = np.arange(1.0, 4.0)
    ready = cell.prepare(jax.tree.map(jnp.asarray, params))
    carry, _ = cell.step(ready, jnp.zeros(6), jnp.asarray(x))
    rate = -np.exp(params["log_decay"]) + 1j * params["frequency"]
    real, imaginary = np.split(x @ params["kernel"], 2)
    s = np.zeros(3)
    for _ in range(count):
        s = s + np.exp(params["log_step"]) / count * (rate * s + real + 1j * imaginary)
    close(carry, np.concatenate([s.real, s.imag]), 1e-4)


def test_an_rg_lru_that_forgets_nothing_has_a_gradient():
    cell = jr.RGLRU(2)
    params = cell.init(KEY, N)
    params["bias"] = params["bias"].at[:2].set(-1e4)  # r = 0
    run = lambda params: jnp.sum(jr.unroll(cell, params, jnp.ones((5, N), "f4"))[1])
    value, grads = jax.value_and_grad(run)(params)
    assert abs(float(value)) < 1e-12
    assert all(bool(jnp.isfinite(g).all()) for g in jax.tree.leaves(grads))


def test_a_min_lstm_with_closed_gates_still_shares():
    cell = jr.MinLSTM(1)
    params = {
        "kernel": jnp.zeros((N, 3), "f4"),
        "bias": jnp.array([-2e3, -2e3, 1], "f4"),
    }
    _, ys = jr.unroll(cell, params, jnp.ones((2, N), "f4"))
    close(ys, jnp.array([[0.5], [0.75]], "f4"))


def test_the_window_of_a_qrnn_passes_over_padding():
    cell = jr.QRNN(2, window=3)
    params = jax.tree.map(jnp.float64, cell.init(KEY, N))
    xs = np.random.default_rng(0).normal(size=(6, N))
    mask = np.array([True, False, True, True, False, True])
    for method in ("scan", "associative"):
        padded, _ = jr.unroll(cell, params, xs, mask=mask, method=method)
        close(padded, jr.unroll(cell, params, xs[mask])[0])
        close(padded.inputs, jnp.asarray(xs[mask][-3:]))


REFUSED = {
    "a_min": (
        lambda: jr.DiagonalLinear(4, a_min=0.9, a_max=1.0),
        "`a_min` and `a_max` must be such that 0 < a_min < a_max < 1, got 0.9 and 1.0",
    ),
    "r_min": (
        lambda: jr.LRU(4, 4, r_min=0.0),
        "`r_min` and `r_max` must be such that 0 < r_min < r_max < 1, "
        "got 0.0 and 0.999",
    ),
    "max_phase": (
        lambda: jr.LRU(4, 4, max_phase=0.0),
        "`max_phase` must be above 0, got 0.0",
    ),
    "step_min": (
        lambda: jr.S5(4, 4, step_min=1.0),
        "`step_min` and `step_max` must be such that 0 < step_min < step_max, "
        "got 1.0 and 0.1",
    ),
}


@pytest.mark.parametrize("make, message", REFUSED.values(), ids=REFUSED)
def test_ranges_that_are_none(make, message):
    with pytest.raises(ValueError) as raised:
        make()
    assert str(raised.value) == message
