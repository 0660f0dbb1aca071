"""One matrix reads tokens and predicts them."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from laws.harness import close

T, B, V, F = 5, 3, 7, 4
_rng = np.random.default_rng(0)
TOKENS = _rng.integers(V, size=(T, B))
MASK = _rng.random((T, B)) < 0.7
MODEL = jr.Tied(jr.Embed(V, F), jr.LSTM(6), jr.Dense(F), param_dtype="float64")
PARAMS = parameters(MODEL)


def untied(params):
    """The same network with a matrix of its own at the output."""
    *layers, last = params
    kernel = np.asarray(params[0]["embedding"]).T
    model = jr.Stack(*MODEL.cells, jr.Dense(V, param_dtype="float64"))
    return model, (*layers, {"kernel": kernel, "bias": last["bias"]})


def test_is_a_stack_whose_last_kernel_is_the_embedding():
    model, params = untied(PARAMS)
    carry, logits = jr.unroll(model, params, TOKENS, mask=MASK)
    close(jr.unroll(MODEL, PARAMS, TOKENS, mask=MASK), (carry[:-1], logits))
    assert MODEL.output_size(None) == V


def test_the_gradient_is_the_sum_of_both_uses():
    weights = _rng.normal(size=(T, B, V))

    def slopes(model, params):
        loss = lambda p: jnp.sum(weights * jr.unroll(model, p, TOKENS)[1])
        return jax.jit(jax.grad(loss))(params)

    tied, apart = slopes(MODEL, PARAMS), slopes(*untied(PARAMS))
    read, predicted = apart[0]["embedding"], apart[-1]["kernel"].T
    close(tied[0]["embedding"], read + predicted)
    close(tied[1:3], apart[1:3])
    close(tied[-1]["bias"], apart[-1]["bias"])


def test_the_embedding_is_one_parameter():
    summary = jr.summary(MODEL)
    own = V * F + (F + 6 + 1) * 4 * 6 + (6 + 1) * F + V
    assert summary.count == own


def test_streaming_is_the_unroll():
    ready = MODEL.prepare(PARAMS)
    carry, step = MODEL.initial_carry(ready, (B,)), jax.jit(MODEL.step)
    for t, tokens in enumerate(TOKENS):
        carry, logits = step(ready, carry, tokens)
        if t == 0:
            first = logits
    last, ys = jr.unroll(MODEL, PARAMS, TOKENS)
    close((carry, first, logits), (last, ys[0], ys[-1]))


def test_the_output_uses_the_embedding_as_it_is_stored():
    """Merity, Keskar, Socher 2018 drop from the embedding where it is read alone."""
    embed = jr.WeightDrop(jr.Embed(V, F), 1.0, name="embedding")
    model = jr.Tied(embed, jr.Map(jnp.cos), param_dtype="float64")
    params = parameters(model)
    E = params[0]["cell"]["embedding"]
    _, logits = jr.unroll(model, params, TOKENS, key=jax.random.key(0))
    close(logits, np.broadcast_to(E.sum(axis=1) + params[-1]["bias"], (T, B, V)))


ERRORS = {
    "features": (
        lambda: parameters(jr.Tied(jr.Embed(V, F), jr.LSTM(6))),
        "`Tied` needs a last layer that puts out the embedding's 4 features, got 6 "
        "from LSTM(6)",
    ),
    "no_embedding": (
        lambda: parameters(jr.Tied(jr.OneHot(V), jr.LSTM(V))),
        "`Tied` needs a first layer with one parameter `embedding`, got OneHot(7)",
    ),
    "20_unknown_tokens": (
        lambda: jr.unroll(MODEL, PARAMS, TOKENS + 1),
        "token ids must lie in [0, vocab_size) = [0, 7), got values from 1 to 7",
    ),
    "params_of_another_stack": (
        lambda: jr.unroll(MODEL, PARAMS[1:], TOKENS),
        "`Tied` needs a first layer with one parameter `embedding`, got Embed(7, 4",
    ),
}


@pytest.mark.parametrize("call, message", ERRORS.values(), ids=ERRORS.keys())
def test_errors(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        call()


def test_20_unknown_tokens_under_jit_read_zeros():
    model = jr.Tied(jr.Embed(V, F), jr.Map("identity"), param_dtype="float64")
    params = parameters(model)
    logits = jax.jit(lambda x: jr.unroll(model, params, x)[1])(jnp.array([V, -1]))
    close(logits, np.tile(params[-1]["bias"], (2, 1)))
