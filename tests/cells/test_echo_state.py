"""A reservoir stays as it was drawn; its readout is the best one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from laws.harness import close

KEY = jax.random.key(0)
_rng = np.random.default_rng(0)


def mean_square(a):
    return np.mean(np.square(a))


@pytest.mark.parametrize("radius", [0.5, 0.9, 1.3])
def test_the_spectral_radius_is_the_one_asked_for(radius):
    cell = jr.EchoState(40, spectral_radius=radius, param_dtype="float64")
    moduli = np.abs(np.linalg.eigvals(cell.init(KEY, 3)["recurrent_kernel"]))
    np.testing.assert_allclose(moduli.max(), radius, 1e-12)


def test_inputs_and_biases_are_scaled():
    params = jr.EchoState(100, input_scale=0.2).init(KEY, 3)
    for name in ("kernel", "bias"):
        assert 0.18 < np.abs(params[name]).max() <= 0.2
        assert params[name].min() < -0.18


def test_parameters_are_drawn_in_half_precision():
    params = jr.EchoState(8, param_dtype="bfloat16").init(KEY, 3)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(params)} == {"bfloat16"}


def test_gradients_pass_by_the_parameters_and_reach_what_is_below():
    model = jr.Stack(jr.Dense(3), jr.EchoState(8), jr.Dense(2))
    params = model.init(KEY, 4)
    xs = _rng.normal(size=(6, 5, 4))
    loss = lambda params: jnp.sum(jr.unroll(model, params, xs)[1] ** 2)
    below, reservoir, above = jax.grad(loss)(params)
    assert not any(np.any(g) for g in jax.tree.leaves(reservoir))
    assert all(np.any(g) for g in jax.tree.leaves((below, above)))


def test_a_leak_of_zero_keeps_the_state_and_of_one_forgets_it():
    start, xs = _rng.normal(size=8), _rng.normal(size=(1, 3))
    run = lambda leak: jr.unroll(jr.EchoState(8, leak=leak), params, xs, start)[0]
    params = jr.EchoState(8, param_dtype="float64").init(KEY, 3)
    close(run(0.0), jnp.asarray(start))
    close(run(0.25), jnp.asarray(0.75 * start + 0.25 * run(1.0)))


def test_a_readout_recalls_the_past():
    """The memory that Jaeger 2001 measures: inputs of some steps ago."""
    cell = jr.EchoState(60, input_scale=0.1, param_dtype="float64")
    xs = _rng.uniform(-1, 1, (900, 1))
    states = jr.unroll(cell, cell.init(KEY, 1), xs)[1]
    delays = (1, 3, 6)
    targets = np.concatenate([np.roll(xs, k, axis=0) for k in delays], axis=-1)
    readout = jr.ridge(states[50:600], targets[50:600], penalty=1e-9)
    recalled = jr.unroll(jr.Dense(len(delays)), readout, states)[1]
    assert mean_square(recalled - targets)[()] < 1  # the first steps recall nothing
    assert mean_square((recalled - targets)[600:]) < 1e-3 * mean_square(xs)


def test_ridge_solves_its_normal_equations():
    states, targets = _rng.normal(size=(30, 4, 5)), _rng.normal(size=(30, 4, 2))
    mask, penalty = _rng.random((30, 4)) < 0.7, 3.0
    got = jr.ridge(jnp.asarray(states), targets, penalty, mask)
    Y, D = states[mask], targets[mask]
    error = Y @ got["kernel"] + got["bias"] - D
    close(np.asarray(Y.T @ error), np.asarray(-penalty * got["kernel"]), 1e-9)
    np.testing.assert_allclose(error.sum(axis=0), 0, atol=1e-9)


def test_ridge_reads_no_padding():
    states, targets = jnp.asarray(_rng.normal(size=(30, 5))), _rng.normal(size=(30, 2))
    mask = np.arange(30) < 20
    alone = jr.ridge(states[:20], targets[:20])
    targets[20:] = np.nan
    close(jr.ridge(states.at[20:].set(np.inf), targets, mask=mask), alone, 1e-9)


def test_ridge_runs_compiled_and_in_single_precision():
    states = jnp.asarray(_rng.normal(size=(50, 3)), jnp.float32)
    got = jax.jit(jr.ridge)(states, states[:, :1] + 2)
    assert got["kernel"].dtype == got["bias"].dtype == jnp.float32
    np.testing.assert_allclose(got["kernel"], [[1], [0], [0]], atol=1e-4)
    np.testing.assert_allclose(got["bias"], [2], atol=1e-4)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"penalty": 0.0}, "`penalty` must be above 0, got 0.0"),
        (
            {"targets": np.ones((6, 1))},
            r"`targets` must have the leading axes \(7, 2\)",
        ),
        ({"mask": np.ones(7, bool)}, r"`mask` must have the leading axes \(7, 2\)"),
        ({"mask": np.zeros((7, 2), bool)}, "`mask` must let at least one step count"),
    ],
    ids=["penalty", "targets", "mask", "nothing"],
)
def test_ridge_says_what_does_not_fit(arguments, message):
    given = {"ys": jnp.ones((7, 2, 3)), "targets": np.ones((7, 2, 1))} | arguments
    with pytest.raises(ValueError, match=message):
        jr.ridge(**given)


def test_a_leak_outside_of_its_range_is_an_error():
    with pytest.raises(ValueError, match=r"`leak` must lie in \[0, 1\], got 1.5"):
        jr.EchoState(8, leak=1.5)
