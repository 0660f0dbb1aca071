"""Cross-entropy: against float64 NumPy, at its extremes, and with bad labels."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from jaxrnn.losses import cross_entropy

T, B, V = 5, 3, 7


def drawn(seed, *shape, scale=3.0):
    """Logits and labels."""
    rng = np.random.default_rng(seed)
    return scale * rng.standard_normal(shape), rng.integers(shape[-1], size=shape[:-1])


def oracle(logits, labels):
    """One step at a time, from the definition, in long double."""
    losses = np.empty(labels.shape)
    for step in np.ndindex(*labels.shape):
        row = np.asarray(logits[step], np.longdouble)
        row = row - row.max()
        losses[step] = np.log(np.sum(np.exp(row))) - row[labels[step]]
    return losses


def softmax_minus_one_hot(logits, labels):
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True) - np.eye(logits.shape[-1])[labels]


@settings(max_examples=50)
@given(
    st.integers(0, 10_000),
    st.sampled_from([(1,), (4,), (2, 9), (5, 3, 7), (2, 3, 4, 2)]),
    st.sampled_from([1e-3, 1.0, 1e3]),
)
def test_equals_its_definition(seed, shape, scale):
    logits, labels = drawn(seed, *shape, scale=scale)
    losses = cross_entropy(jnp.asarray(logits), jnp.asarray(labels))
    assert losses.shape == labels.shape and losses.dtype == np.float64
    np.testing.assert_allclose(losses, oracle(logits, labels), rtol=1e-12, atol=1e-15)


def test_gradient_is_softmax_minus_one_hot():
    logits, labels = drawn(0, T, B, V)
    weights = np.random.default_rng(1).standard_normal((T, B))
    weighed = lambda logits: jnp.sum(weights * cross_entropy(logits, labels))
    expected = weights[..., None] * softmax_minus_one_hot(logits, labels)
    np.testing.assert_allclose(jax.grad(weighed)(logits), expected, atol=1e-14)
    check_grads(jax.jit(lambda x: cross_entropy(x, labels)), (logits,), order=2)


def test_jit_and_vmap_change_nothing():
    logits, labels = drawn(1, T, B, V)
    eager = cross_entropy(logits, labels)
    np.testing.assert_allclose(jax.jit(cross_entropy)(logits, labels), eager, 1e-14)
    by_row = jax.vmap(cross_entropy, (1, 1), 1)(logits, labels)
    np.testing.assert_allclose(by_row, eager, 1e-14)


@pytest.mark.parametrize(
    ("given", "returned", "rtol"),
    [
        (jnp.bfloat16, np.float32, 1e-5),
        (np.float16, np.float32, 1e-5),
        (np.float32, np.float32, 1e-5),
        (np.float64, np.float64, 1e-13),
    ],
)
def test_computes_in_float32_or_float64(given, returned, rtol):
    logits, labels = drawn(2, T, B, V)
    logits = jnp.asarray(logits, given)
    losses = cross_entropy(logits, labels)
    assert losses.dtype == returned
    exact = oracle(np.asarray(logits, np.float64), labels)
    np.testing.assert_allclose(losses, exact, rtol=rtol)


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
)
@pytest.mark.parametrize("compiled", [False, True])
def test_labels_of_any_integer_dtype(dtype, compiled):
    logits, labels = drawn(3, T, B, 300)  # more classes than 8 bits can count
    labels = (labels % 100).astype(dtype)
    losses = (jax.jit if compiled else lambda f: f)(cross_entropy)(logits, labels)
    np.testing.assert_allclose(losses, oracle(logits, labels.astype(int)), 1e-12)


def test_wide_labels_without_x64():
    with jax.enable_x64(False):
        losses = cross_entropy(jnp.zeros((2, 4)), np.array([3, 0], np.int64))
        assert losses.dtype == np.float32
        with pytest.raises(
            ValueError, match=re.escape("got values from 0 to 4294967296")
        ):
            cross_entropy(jnp.zeros((2, 4)), np.array([2**32, 0], np.int64))


def test_small_losses_beside_large_logits():
    # log total + largest is 1e4 here, of which float32 keeps three decimals.
    logits = jnp.array([[1e4, 1e4 - 10.0], [1e4, -1e4]], jnp.float32)
    losses = cross_entropy(logits, jnp.array([0, 1]))
    np.testing.assert_allclose(losses, [np.log1p(np.exp(-10.0)), 2e4], rtol=1e-3)


def test_impossible_classes():
    inf = np.inf
    logits = jnp.array([[0.0, -inf, 0.0], [0.0, -inf, 0.0]])
    losses, pull = jax.vjp(lambda x: cross_entropy(x, jnp.array([0, 1])), logits)
    np.testing.assert_allclose(losses, [np.log(2), inf])
    np.testing.assert_allclose(pull(jnp.array([1.0, 0.0]))[0][0], [-0.5, 0, 0.5])


@pytest.mark.parametrize("label", [-1, -100, V, 255, 2**31, 2**32, 2**32 + 1])
def test_unknown_label_under_jit_is_a_blind_guess(label):
    logits, labels = drawn(4, T, B, V)
    labels[1, 2] = label
    losses = jax.jit(cross_entropy)(logits, labels)
    assert losses[1, 2] == pytest.approx(np.log(V), rel=1e-15)
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(cross_entropy(x, labels))))
    with pytest.raises(ValueError, match="must lie in"):
        gradient(logits)  # labels are concrete here
    gradient = jax.jit(jax.grad(lambda *args: jnp.sum(cross_entropy(*args))))
    gradient = gradient(logits, labels)
    assert (
        not gradient[1, 2].any() and np.abs(gradient).sum(-1).astype(bool).sum() == 14
    )


def weighted_oracle(logits, weights, smoothing):
    """-sum_v q log softmax(logits), a class at a time, in long double."""
    losses = np.zeros(logits.shape[:-1])
    for step in np.ndindex(*losses.shape):
        row = np.asarray(logits[step], np.longdouble)
        log_p = row - row.max() - np.log(np.sum(np.exp(row - row.max())))
        q = (1 - smoothing) * weights[step] + smoothing * weights[step].mean()
        losses[step] = -sum(a * b for a, b in zip(q, log_p, strict=True) if a > 0)
    return losses


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_weights_of_classes_and_smoothing(smoothing):
    logits, labels = drawn(5, T, B, V)
    soft = np.random.default_rng(6).random((T, B, V)) ** 3
    soft[0, 0], soft[1, 1, :4] = 0, 0
    hard = np.eye(V)[labels]
    for target, weights in ((labels, hard), (hard, hard), (soft, soft)):
        losses = cross_entropy(logits, target, smoothing=smoothing)
        expected = weighted_oracle(logits, weights, smoothing)
        np.testing.assert_allclose(losses, expected, rtol=1e-12)
    weighed = jax.jit(lambda x: cross_entropy(x, soft, smoothing=smoothing))
    check_grads(weighed, (logits,), order=1)


def test_weights_of_nothing_and_of_impossible_classes():
    logits = jnp.array([[0.0, -np.inf, 0.0], [1.0, 2.0, 3.0]])
    weights = jnp.array([[0.5, 0.0, 0.5], [0.0, 0.0, 0.0]])
    losses, pull = jax.vjp(lambda x: cross_entropy(x, weights), logits)
    np.testing.assert_allclose(losses, [np.log(2), 0])
    np.testing.assert_allclose(pull(jnp.ones(2))[0], np.zeros((2, 3)), atol=1e-16)


def test_an_unknown_label_is_a_blind_guess_smoothed_or_not():
    logits, labels = drawn(7, T, B, V)
    labels[2, 1] = V
    losses = jax.jit(lambda x, i: cross_entropy(x, i, smoothing=0.2))(logits, labels)
    assert losses[2, 1] == pytest.approx(np.log(V), rel=1e-15)


@pytest.mark.parametrize("smoothing", [-0.1, 1.1])
def test_smoothing_is_a_part(smoothing):
    message = re.escape(f"`smoothing` must lie in [0, 1], got {smoothing}")
    with pytest.raises(ValueError, match=f"^{message}$"):
        cross_entropy(np.zeros((2, 4)), np.array([0, 1]), smoothing=smoothing)


def test_no_steps():
    assert cross_entropy(jnp.zeros((0, B, V)), jnp.zeros((0, B), int)).shape == (0, B)


@pytest.mark.parametrize(
    ("logits", "labels", "error", "message"),
    [
        (
            np.zeros((2, 4)),
            np.array([0, 4]),
            ValueError,
            "`labels` must lie in [0, V) = [0, 4), got values from 0 to 4",
        ),
        (
            np.zeros((2, 4)),
            np.array([-1, 3]),
            ValueError,
            "`labels` must lie in [0, V) = [0, 4), got values from -1 to 3",
        ),
        (
            np.zeros((2, 300)),
            np.array([0, 4], np.float32),
            ValueError,
            "floating `labels` must have the shape of `logits`, (2, 300), one weight a "
            "class, got (2,)",
        ),
        (
            np.zeros((1, 2)),
            np.array([[0.5, -0.25]]),
            ValueError,
            "floating `labels` must be at least 0, got -0.25",
        ),
        (
            np.zeros((2, 4)),
            np.array([True, False]),
            TypeError,
            "`labels` must be integers or floating, got bool",
        ),
        (
            np.zeros((2, 4), int),
            np.array([0, 1]),
            TypeError,
            "`logits` must be floating, got int64",
        ),
        (
            np.zeros((2, 4)),
            np.array([[0], [1]]),
            ValueError,
            "`labels` must have the shape of `logits` without its last axis, (2,), "
            "got (2, 1)",
        ),
        (
            np.zeros((2, 0)),
            np.array([0, 1]),
            ValueError,
            "`logits` must have shape [..., V], V at least 1, got (2, 0)",
        ),
        (
            np.float64(1.0),
            np.array(0),
            ValueError,
            "`logits` must have shape [..., V], V at least 1, got ()",
        ),
    ],
)
def test_bad_arguments(logits, labels, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        cross_entropy(logits, labels)
