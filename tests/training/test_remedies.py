"""Skipped steps, L2, schedules: by hand, in a training step, and in `fit`."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxrnn.training import (
    MetricsFile,
    ProgressBar,
    clip,
    fit,
    init_state,
    l2,
    scale_by_progress,
    skip_nonfinite,
    skipped_steps,
    step_decay,
    train_step,
)
from jaxrnn.training.schedules import factors

pytestmark = pytest.mark.usefixtures("standard_promotion")


def linear(params, batch, carry, key):
    """A loss whose gradient is the batch; the carry counts the steps."""
    return jnp.sum(params * batch), None if carry is None else carry + 1


OPTIMIZER = skip_nonfinite(optax.chain(clip(10.0), optax.adam(0.1)))
STEP = train_step(linear, OPTIMIZER)
GOOD, BAD = [jnp.array([1.0, -2.0, g]) for g in (3.0, jnp.nan)]
WORSE = jnp.array([1.0, jnp.inf, 0.0])


def fresh():
    state = init_state(jnp.ones(3), OPTIMIZER, jax.random.key(0), jnp.zeros(()))
    return state


def test_a_step_left_out_leaves_everything_but_the_counts():
    good, _ = STEP(fresh(), GOOD)
    kept = jax.tree.map(np.array, good._replace(key=None))
    state, metrics = STEP(good, BAD)
    assert metrics["skipped"] == 1 and not np.isfinite(metrics["loss"])
    np.testing.assert_array_equal(state.params, kept.params)
    np.testing.assert_array_equal(state.carry, kept.carry)
    jax.tree.map(
        np.testing.assert_array_equal, state.opt_state.inner, kept.opt_state.inner
    )
    assert int(state.step) == 2 and int(skipped_steps(state.opt_state)) == 1
    state, metrics = STEP(state, GOOD)
    assert metrics["skipped"] == 0 and float(state.carry) == 2
    assert np.isfinite(np.asarray(state.params)).all()


def test_good_steps_are_those_of_the_optimizer_alone():
    plain = train_step(linear, optax.chain(clip(10.0), optax.adam(0.1)))
    alone = init_state(
        jnp.ones(3), optax.chain(clip(10.0), optax.adam(0.1)), jax.random.key(0)
    )
    state = init_state(jnp.ones(3), OPTIMIZER, jax.random.key(0))
    for batch in (GOOD, BAD, 2 * GOOD, WORSE, GOOD):
        state, _ = STEP(state, batch)
        if np.isfinite(batch).all():
            alone, _ = plain(alone, batch)
    np.testing.assert_allclose(state.params, alone.params, 1e-12)


def test_a_loss_that_is_not_finite_though_its_gradient_is():
    optimizer = skip_nonfinite(optax.sgd(1.0))
    state = optimizer.init(jnp.ones(2))
    for value, expected in ((jnp.array(jnp.nan), 0.0), (jnp.array(1.0), -1.0)):
        updates, state = optimizer.update(jnp.ones(2), state, value=value)
        np.testing.assert_array_equal(updates, [expected, expected])
    assert int(state.skipped) == 1
    inside = optax.chain(optimizer, optax.scale(2.0)).init(jnp.ones(2))
    assert int(skipped_steps(inside)) == 0
    assert skipped_steps(optax.adam(0.1).init(jnp.ones(2))) is None


def test_fit_counts_them_and_goes_on(tmp_path):
    batches = [GOOD, BAD, GOOD, WORSE, GOOD]
    hooks = [MetricsFile(tmp_path / "metrics", every=1), ProgressBar(5)]
    fitted = fit(STEP, fresh(), lambda epoch: batches, epochs=1, callbacks=hooks)
    (row,) = fitted.history
    state, losses = fresh(), []
    for batch in (GOOD, GOOD, GOOD):
        state, metrics = STEP(state, batch)
        losses.append(float(metrics["loss"]))
    assert row["skipped"] == 2
    assert row["loss"] == pytest.approx(np.mean(losses), rel=1e-12)
    np.testing.assert_array_equal(fitted.state.params, state.params)
    strict = lambda name: pytest.fail(f"{name} is no JSON")
    lines = (tmp_path / "metrics").read_text().splitlines()
    rows = [json.loads(line, parse_constant=strict) for line in lines]
    assert [r["skipped"] for r in rows] == [0, 1, 0, 1, 0, 2]
    assert rows[1]["loss"] is None and rows[2]["loss"] == losses[1]


def test_fit_stops_where_no_step_is_finite():
    message = "`loss` is nan in all steps of epoch 2: lower the learning rate"
    with pytest.raises(FloatingPointError, match=re.escape(message)):
        fit(STEP, fresh(), lambda epoch: [[GOOD], [BAD, BAD]][epoch], epochs=2)


def test_l2_is_the_gradient_of_its_penalty():
    rng = np.random.default_rng(0)
    draw = lambda *shape: jnp.asarray(rng.standard_normal(shape))
    params = (
        {"kernel": draw(3, 4), "bias": draw(4)},
        {"cell": {"recurrent_kernel": draw(2, 2), "bias": draw(2)}},
        {"projection_kernel": draw(2, 3), "scale": draw(2)},
    )
    rate = 0.3

    def penalty(params):
        kernels = params[0]["kernel"], params[1]["cell"]["recurrent_kernel"]
        kernels += (params[2]["projection_kernel"],)
        return rate / 2 * sum(jnp.sum(w**2) for w in kernels)

    optimizer, zeros = l2(rate), jax.tree.map(jnp.zeros_like, params)
    found, _ = jax.jit(optimizer.update)(zeros, optimizer.init(params), params)
    expected = jax.grad(penalty)(params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, 1e-14), found, expected)
    only = l2(rate, ("bias",))
    found, _ = only.update(zeros, only.init(params), params)
    assert not found[0]["kernel"].any() and found[1]["cell"]["bias"].all()


def test_l2_of_a_name_that_is_not_there():
    message = "^`names` must be those of parameters, got 'kernels'$"
    with pytest.raises(ValueError, match=message):
        l2(0.1, ("kernels",)).init({"kernel": jnp.ones(2)})


@pytest.mark.parametrize("total", [1, 7, 39, 100])
@pytest.mark.parametrize(("epochs", "constant"), [(39, 6), (5, 1), (1, 3)])
def test_zaremba_in_integers(total, epochs, constant):
    schedule = step_decay(total, epochs=epochs, constant=constant, factor=1 / 1.2)
    steps = range(0, total + 3, max(total // 30, 1))
    state = schedule.init(None)
    scale = jax.jit(lambda t: schedule.update(1.0, state._replace(step=t))[0])
    for t in steps:
        epoch = min(epochs * t // total, epochs - 1)
        expected = 1.2 ** -max(epoch + 1 - constant, 0)
        np.testing.assert_allclose(scale(jnp.int32(t)), expected, 1e-5)


def test_another_number_of_steps_is_no_other_program():
    update = jax.jit(step_decay(1, epochs=2, constant=1, factor=0.5).update)
    for total in (2, 10, 1000):
        state = step_decay(total, epochs=2, constant=1, factor=0.5).init(None)
        update(jnp.float32(1.0), state)
    assert update._cache_size() == 1


def test_warmup_then_constant():
    schedule = scale_by_progress(jnp.ones_like, 100, warmup=3)
    assert factors(schedule, 6) == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert (
        jax.jit(schedule.update)(jnp.bfloat16(2.0), schedule.init(None))[0].dtype
        == jnp.bfloat16
    )


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "`epochs` must be at least 1, got 0"),
        ({"constant": 1.5}, TypeError, "`constant` must be an integer, got 1.5"),
        ({"factor": 0.0}, ValueError, "`factor` must lie in (0, 1], got 0.0"),
        ({"factor": 1.5}, ValueError, "`factor` must lie in (0, 1], got 1.5"),
    ],
)
def test_bad_schedules(options, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        step_decay(10, **({"epochs": 5, "constant": 2, "factor": 0.5} | options))


def test_a_training_step_tells_optax_the_loss():
    plateau = optax.contrib.reduce_on_plateau(factor=0.5, patience=2)
    optimizer = optax.chain(optax.sgd(1.0), plateau)
    still = lambda params, batch, carry, key: (0 * jnp.sum(params) + 3.0, None)
    step = train_step(still, optimizer)
    state = init_state(jnp.ones(2), optimizer, jax.random.key(0))
    scales = []
    for _ in range(6):
        state, _ = step(state, None)
        scales.append(float(state.opt_state[1].scale))
    assert scales == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
