"""A pointer-generator, symbol by symbol, and its probabilities at the edges."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from jaxrnn.seq2seq.copy import gathered
from laws.harness import close, finite

T, B, S, M, V = 5, 3, 4, 6, 7
RNG = np.random.default_rng(0)
ATTEND = jr.Attend(jr.GRU(5), memory_size=M)
CELL = jr.Stack(jr.Embed(V, 3), ATTEND, param_dtype="float64")
MODEL = jr.Copy(CELL, V, param_dtype="float64")
PARAMS = parameters(MODEL)
INPUTS = RNG.integers(V, size=(T, B))
REAL = np.arange(S) < np.array([4, 2, 0])[:, None]
CONTEXT = {
    "memory": RNG.normal(size=(B, S, M)),
    "mask": REAL,
    "source": np.array([[2, 5, 2, 6], [0, 3, 1, 1], [4, 4, 4, 4]]),
}


def log_p(params=PARAMS, context=CONTEXT, model=MODEL):
    return jr.unroll(model, params, INPUTS, context=context)[1]


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def test_is_its_equations():
    own = jax.tree.map(np.asarray, PARAMS)
    collect = lambda carry: carry[1].alignment
    _, ys, alignments = jr.unroll(
        CELL, own["cell"], INPUTS, context=CONTEXT, collect=collect
    )
    got = np.exp(log_p())
    ys, alignments = np.asarray(ys), np.asarray(alignments)
    for t in range(T):
        for b in range(B):
            a = alignments[t, b]
            c = sum(a[s] * CONTEXT["memory"][b, s] for s in range(S))
            x = np.concatenate([ys[t, b], c])
            g = sigmoid(x @ own["gate_kernel"] + own["gate_bias"])[0] if b < 2 else 1
            made_up = np.exp(x @ own["kernel"] + own["bias"])
            p = g * made_up / made_up.sum()
            for s in range(S):
                p[CONTEXT["source"][b, s]] += (1 - g) * a[s]
            close(got[t, b], p)


def test_probabilities_sum_to_one():
    close(np.exp(log_p()).sum(axis=-1), np.ones((T, B)))


@pytest.mark.slow
def test_probabilities_sum_to_one_of_other_attentions_too():
    for kind in (jr.attention.Monotonic(4), jr.attention.MultiHead(2, 4)):
        model = jr.Copy(
            jr.Stack(jr.Embed(V, 3), jr.Attend(jr.GRU(5), kind, memory_size=M)), V
        )
        params = parameters(model.replace(param_dtype="float64"))
        close(np.exp(log_p(params, model=model)).sum(axis=-1), np.ones((T, B)))


def test_padding_of_the_source_is_not_copied():
    junk = np.where(REAL, CONTEXT["source"], -7)
    close(log_p(context=CONTEXT | {"source": junk}), log_p())
    junk = np.where(REAL, CONTEXT["source"], 10**6)
    close(log_p(context=CONTEXT | {"source": junk}), log_p())


def test_what_cannot_be_copied_is_made_up():
    context = CONTEXT | {"source": np.full((B, S), V)}
    close(np.exp(log_p(context=context)).sum(axis=-1), np.ones((T, B)))


def test_logs_and_gradients_are_finite_where_gates_saturate():
    labels = RNG.integers(V, size=(T, B))
    loss = lambda p: jnp.mean(jr.cross_entropy(log_p(p), labels))
    slopes = jax.jit(jax.value_and_grad(loss))
    steep = PARAMS | {"kernel": 1e4 * PARAMS["kernel"]}
    for gate in (-1e4, 0.0, 1e4):
        steep |= {"gate_bias": jnp.full(1, gate)}
        finite((log_p(steep), slopes(steep)))


def test_it_writes_what_it_copies():
    """The gate shut, and one position to look at: its symbol, whatever comes in."""
    shut = PARAMS | {"gate_bias": jnp.full(1, -1e3)}
    one = {"memory": CONTEXT["memory"][:, :1], "source": np.array([[2], [0], [5]])}
    first = np.array([1, 1, 1])
    _, ids = jr.generate(MODEL, shut, first, steps=3, context=one)
    np.testing.assert_array_equal(ids, np.tile([2, 0, 5], (3, 1)))


@pytest.mark.slow
def test_in_an_encoder_decoder():
    encoder = jr.Stack(jr.Embed(V, 4), jr.Bidirectional(jr.GRU(3)))
    model = jr.EncoderDecoder(MODEL, encoder=encoder, bridge=jr.Bridge())
    params = parameters(model)
    context = {"source": CONTEXT["source"], "lengths": np.array([4, 2, 0])}
    _, ys = jr.unroll(model, params, INPUTS, context=context)
    close(np.exp(ys).sum(axis=-1), np.ones((T, B)), 1e-5)


def test_gathered_adds_up_by_symbol():
    alignment = RNG.random((2, B, S))
    got = gathered(jnp.asarray(alignment), CONTEXT["source"], V)
    expected = np.zeros((2, B, V))
    for t, b, s in np.ndindex(2, B, S):
        expected[t, b, CONTEXT["source"][b, s]] += alignment[t, b, s]
    close(got, expected)


ERRORS = {
    "nothing_to_look_at": (
        lambda: jr.Copy(jr.GRU(3), V),
        ValueError,
        "`Copy` needs an `Attend`, or a `Stack` that ends in one, got GRU(3)",
    ),
    "no_source": (
        lambda: log_p(context={"memory": CONTEXT["memory"]}),
        ValueError,
        "`Copy` needs a source: give `context={'source': ...}`",
    ),
    "vectors": (
        lambda: log_p(context=CONTEXT | {"source": np.ones((B, S))}),
        TypeError,
        "`source` must be ids to copy, got float64[3, 4]",
    ),
    "another_length": (
        lambda: log_p(context=CONTEXT | {"source": np.ones((B, 2), int)}),
        ValueError,
        "`source` must have one id for each position of the memory, (3, 4), got (3, 2)",
    ),
}


@pytest.mark.parametrize("call, error, message", ERRORS.values(), ids=ERRORS.keys())
def test_errors(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        call()
