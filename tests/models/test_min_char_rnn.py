"""The preset min-char-rnn against its equations in float64 NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxrnn.data import Streams, Vocabulary, python_docs
from jaxrnn.models import (
    MIN_CHAR_RNN,
    language_model,
    language_objective,
    language_optimizer,
)
from jaxrnn.training import init_state, train_step


class Oracle:
    """h = tanh(W_xh x + W_hh h' + b_h), y = W_hy h + b_y; Adagrad on clipped sums."""

    def __init__(self, weights, memory):
        self.weights, self.memory = weights, memory

    def update(self, inputs, targets, h):
        loss, last, gradients = self.gradients(inputs, targets, h)
        for weight, d, memory in zip(self.weights, gradients, self.memory, strict=True):
            d = np.clip(d, -5, 5)
            memory += d * d
            weight -= 0.1 * d / np.sqrt(memory + 1e-8)
        return loss, last

    def gradients(self, inputs, targets, h):
        W_xh, W_hh, W_hy, b_h, b_y = self.weights
        x, hs, ps, loss = np.eye(len(b_y))[inputs], [h], [], 0.0
        for t in range(len(inputs)):
            hs.append(np.tanh(W_xh @ x[t] + W_hh @ hs[-1] + b_h))
            y = W_hy @ hs[-1] + b_y
            ps.append(np.exp(y - y.max()) / np.exp(y - y.max()).sum())
            loss -= np.log(ps[-1][targets[t]])
        gradients = [np.zeros_like(w) for w in self.weights]
        dW_xh, dW_hh, dW_hy, db_h, db_y = gradients
        dh_next = np.zeros_like(h)
        for t in reversed(range(len(inputs))):
            dy = ps[t] - np.eye(len(b_y))[targets[t]]
            dW_hy += np.outer(dy, hs[t + 1])
            db_y += dy
            da = (1 - hs[t + 1] ** 2) * (W_hy.T @ dy + dh_next)
            db_h += da
            dW_xh += np.outer(da, x[t])
            dW_hh += np.outer(da, hs[t])
            dh_next = W_hh.T @ da
        return loss, hs[-1], gradients


def as_lists(params):
    """Parameters in the oracle's order and orientation."""
    _, cell, dense = jax.tree.map(lambda a: np.array(a, np.float64), params)
    return [
        cell["kernel"].T,
        cell["recurrent_kernel"].T,
        dense["kernel"].T,
        cell["bias"],
        dense["bias"],
    ]


def trained(text, updates):
    """Yields each update's window, the state before it, what it gave, and whether the
    state before it is that of a new epoch."""
    vocabulary = Vocabulary.from_text(text)
    window = MIN_CHAR_RNN.window
    ids = vocabulary.encode(text)
    streams = Streams(ids, batch_size=1, window=window, drop_last=True)
    model = language_model(MIN_CHAR_RNN, len(vocabulary))
    float64 = lambda a: a.astype(jnp.float64)
    params = jax.tree.map(float64, model.init(jax.random.key(0)))
    optimizer = language_optimizer(MIN_CHAR_RNN, total=updates)
    first = model.initial_carry(model.prepare(params), (1,))
    state = init_state(params, optimizer, jax.random.key(1), first)
    step = train_step(language_objective(model), optimizer)
    for update in range(updates):
        place = update % len(streams)
        if place == 0:
            state = state._replace(carry=jax.tree.map(jnp.copy, first))
        before = jax.tree.map(np.array, state._replace(key=None))
        state, metrics = step(state, streams.window(place))
        yield streams.window(place), before, (state, metrics), place == 0


def check(state, metrics, oracle, loss, h):
    np.testing.assert_allclose(float(metrics["loss"]), loss / 25, atol=1e-8)
    memory = as_lists(optax.tree.get(state.opt_state, "sum_of_squares"))
    for ours, theirs in zip(
        as_lists(state.params) + memory, oracle.weights + oracle.memory, strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(state.carry[1][0], h, rtol=1e-8, atol=1e-8)


def test_200_updates_on_a_real_text_each_from_the_same_weights():
    # At these settings the weights move by 0.1 an update, and training is chaotic: two
    # roundings of the same equations part tenfold an update. So each one is compared.
    clipped = False
    text = python_docs()[:4000]
    for window, before, (state, metrics), _ in trained(text, 200):
        memory = optax.tree.get(before.opt_state, "sum_of_squares")
        oracle = Oracle(as_lists(before.params), as_lists(memory))
        arguments = (window.inputs[:, 0], window.targets[:, 0], before.carry[1][0])
        clipped |= max(abs(d).max() for d in oracle.gradients(*arguments)[2]) > 5
        loss, h = oracle.update(*arguments)
        check(state, metrics, oracle, loss, h)
    assert clipped


def test_200_updates_in_a_row_where_training_is_not_chaotic():
    oracle = None
    for window, before, (state, metrics), is_first in trained("ab" * 300, 200):
        if oracle is None:
            weights = as_lists(before.params)
            oracle = Oracle(weights, [np.zeros_like(w) for w in weights])
        if is_first:
            h = np.zeros(100)
        loss, h = oracle.update(window.inputs[:, 0], window.targets[:, 0], h)
        check(state, metrics, oracle, loss, h)
    assert float(metrics["loss"]) < 1e-3


def test_the_settings():
    model = language_model(MIN_CHAR_RNN, 17)
    params = model.init(jax.random.key(0))
    assert 0.009 < float(params[1]["recurrent_kernel"].std()) < 0.011
    assert repr(model) == (
        "Stack(OneHot(17), Elman(100, kernel_init=Normal(), recurrent_init=Normal()), "
        "Dense(17, kernel_init=Normal()))"
    )
    with pytest.raises(ValueError, match="`clip` must be positive and finite"):
        type(MIN_CHAR_RNN)(clip=0)
