"""Distances of vectors: against float64 NumPy, at padding, and with bad arguments."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.test_util import check_grads

from jaxrnn.losses import huber, reduce, squared_error

T, B, N = 5, 3, 4
RNG = np.random.default_rng(0)
Y, TARGET = 2 * RNG.standard_normal((2, T, B, N))


def huber_oracle(y, target, delta):
    losses = np.zeros(y.shape[:-1])
    for *step, i in np.ndindex(*y.shape):
        e = abs(y[*step, i] - target[*step, i])
        losses[*step] += e**2 / 2 if e <= delta else delta * (e - delta / 2)
    return losses


def test_squared_error_is_its_definition():
    losses = squared_error(Y, TARGET)
    np.testing.assert_allclose(losses, ((Y - TARGET) ** 2).sum(-1), 1e-14)


@pytest.mark.parametrize("delta", [0.3, 1.0, 5.0])
def test_huber_is_its_definition(delta):
    losses = huber(Y, TARGET, delta=delta)
    np.testing.assert_allclose(losses, huber_oracle(Y, TARGET, delta), 1e-13)
    slope = jax.grad(lambda y: huber(y, TARGET, delta=delta).sum())(Y)
    np.testing.assert_allclose(slope, np.clip(Y - TARGET, -delta, delta), 1e-13)


@pytest.mark.parametrize("loss", [squared_error, huber])
def test_derivatives(loss):
    check_grads(
        lambda y: loss(y, TARGET), (Y,), order=2 if loss is squared_error else 1
    )


@pytest.mark.parametrize("loss", [squared_error, huber])
def test_gradient_is_zero_at_the_target(loss):
    gradient = jax.grad(lambda y: loss(y, TARGET).sum())(jnp.asarray(TARGET))
    assert not gradient.any()


@pytest.mark.parametrize("loss", [squared_error, huber])
def test_low_precision_is_computed_in_float32(loss):
    y, target = jnp.asarray(Y, jnp.bfloat16), jnp.asarray(TARGET, jnp.float16)
    losses = loss(y, target)
    exact = loss(*(np.asarray(a, np.float64) for a in (y, target)))
    assert losses.dtype == np.float32
    np.testing.assert_allclose(losses, exact, 1e-6)


def test_a_mask_goes_through_the_one_reducer():
    mask = np.random.default_rng(1).random((T, B)) < 0.5
    got = reduce(squared_error(Y, TARGET), mask)
    np.testing.assert_allclose(got, np.mean(((Y - TARGET) ** 2).sum(-1)[mask]), 1e-13)


@pytest.mark.parametrize("loss", [squared_error, huber, optax.l2_loss])
def test_any_function_of_two_vectors_serves(loss):
    values = loss(Y, TARGET)
    assert reduce(values, reduction="sum") == pytest.approx(float(values.sum()))


@pytest.mark.parametrize("loss", [squared_error, huber])
@pytest.mark.parametrize(
    ("y", "target", "error", "message"),
    [
        (np.ones(3, int), np.ones(3), TypeError, "`y` must be floating, got int64"),
        (
            np.ones(3),
            np.ones(3, int),
            TypeError,
            "`target` must be floating, got int64",
        ),
        (
            np.ones((2, 3)),
            np.ones((2, 1)),
            ValueError,
            "`y` and `target` must have the same shape [..., n], got (2, 3) and (2, 1)",
        ),
        (
            np.float64(1.0),
            np.float64(1.0),
            ValueError,
            "`y` and `target` must have the same shape [..., n], got () and ()",
        ),
    ],
)
def test_bad_arguments(loss, y, target, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        loss(y, target)


@pytest.mark.parametrize("delta", [0.0, -1.0, float("nan")])
def test_delta_is_positive(delta):
    with pytest.raises(ValueError, match=f"^`delta` must be positive, got {delta}$"):
        huber(Y, TARGET, delta=delta)
