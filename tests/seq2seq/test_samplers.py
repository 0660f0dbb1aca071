"""Samplers: which symbols they can draw, and how often, against brute force."""

import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxrnn as jr

V = 5
KEYS = jax.random.split(jax.random.key(0), 4000)


def softmax(logits):
    e = np.exp(logits - logits.max())
    return e / e.sum()


def brute_force(logits, temperature=1.0, top_k=None, top_p=None):
    """The distribution that is drawn from, found by looking at every set of symbols."""
    p = softmax(np.asarray(logits) / temperature)
    for size in (top_k,) if top_k else ():
        sets = itertools.combinations(range(len(p)), size)
        best = max(sets, key=lambda s: sum(p[list(s)]))
        p = np.where(np.isin(np.arange(len(p)), best), p, 0)
        p = p / p.sum()
    if top_p is not None:
        # The smallest set that holds top_p of the mass; of those, the likeliest.
        sets = itertools.chain.from_iterable(
            itertools.combinations(range(len(p)), n) for n in range(1, len(p) + 1)
        )
        enough = [s for s in sets if sum(p[list(s)]) >= top_p]
        best = min(enough, key=lambda s: (len(s), -sum(p[list(s)])))
        p = np.where(np.isin(np.arange(len(p)), best), p, 0)
    return p / p.sum()


@jax.jit
def likely(sampler, logits):
    """The distribution that `Sampler` draws from."""
    return jax.nn.softmax(sampler._likely(sampler._scaled(logits)))


@pytest.mark.parametrize("top_k", [None, 3])
@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    temperature=st.sampled_from([0.3, 1.0, 2.5]),
    top_p=st.sampled_from([0.01, 0.4, 0.77, 0.95]),
)
def test_the_likely_part_is_the_smallest_set(top_k, seed, temperature, top_p):
    logits = 2 * np.random.default_rng(seed).standard_normal(V)
    options = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    found = likely(jr.Sampler(**options), logits)
    np.testing.assert_allclose(found, brute_force(logits, **options), 1e-10)


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.5},
        {"temperature": 2.0, "top_k": 3, "top_p": 0.7},
    ],
)
def test_frequencies(options):
    logits = np.array([0.5, -1.0, 2.0, 1.0, -np.inf])
    sampler = jr.Sampler(**options)
    drawn = jax.jit(jax.vmap(lambda key: sampler(logits, key)))(KEYS)
    assert drawn.dtype == np.int32
    counts = np.bincount(drawn, minlength=V) / len(KEYS)
    expected = brute_force(logits, **options)
    np.testing.assert_allclose(counts, expected, atol=4 * np.sqrt(0.25 / len(KEYS)))
    assert not counts[expected == 0].any()


def test_what_leaves_all_draws_the_same_as_plain_sampling():
    logits = np.random.default_rng(1).standard_normal((7, V))
    key = jax.random.key(3)
    plain = jr.Sampler()(logits, key)
    everything = jr.Sampler(top_k=V, top_p=1.0)
    np.testing.assert_array_equal(everything(logits, key), plain)
    greedy = jr.greedy(logits)
    np.testing.assert_array_equal(greedy, logits.argmax(-1))
    cold = ({"temperature": 0.0}, {"temperature": 1e-300})
    for options in (*cold, {"top_k": 1}, {"top_p": 0.0}):
        np.testing.assert_array_equal(jr.Sampler(**options)(logits, key), greedy)


def test_of_equals_the_first_is_the_likelier():
    found = likely(jr.Sampler(top_k=3, top_p=0.5), np.zeros(V))
    np.testing.assert_allclose(found, [0.5, 0.5, 0, 0, 0])
    assert int(jr.greedy(np.zeros(V))) == 0


def test_another_temperature_is_no_other_program():
    draw = jax.jit(lambda sampler, key: sampler(jnp.zeros((2, V)), key))
    for temperature, top_p in ((0.5, 0.9), (0.0, 0.1), (2.0, 1.0)):
        draw(jr.Sampler(temperature, top_p=top_p), KEYS[0])
    assert draw._cache_size() == 1


def test_a_hopeless_row_under_jit_is_symbol_0():
    hopeless = np.full((2, V), -np.inf)
    for sampler in (jr.Sampler(), jr.Sampler(top_k=2, top_p=0.5)):
        found = jax.jit(lambda x, s=sampler: s(x, KEYS[0]))(hopeless)
        np.testing.assert_array_equal(found, [0, 0])
        with pytest.raises(ValueError, match="must have a finite value in every row"):
            sampler(hopeless, KEYS[0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: jr.Sampler(-1.0),
            ValueError,
            "`temperature` must be at least 0 and finite, got -1.0",
        ),
        (
            lambda: jr.Sampler(float("nan")),
            ValueError,
            "`temperature` must be at least 0 and finite, got nan",
        ),
        (
            lambda: jr.Sampler(top_p=1.1),
            ValueError,
            "`top_p` must lie in [0, 1], got 1.1",
        ),
        (
            lambda: jr.Sampler(top_k=0),
            ValueError,
            "`top_k` must be at least 1, got 0",
        ),
        (
            lambda: jr.Sampler(top_k=2.0),
            TypeError,
            "`top_k` must be an integer, got 2.0",
        ),
        (
            lambda: jr.Sampler(top_k=V + 1)(np.zeros(V), KEYS[0]),
            ValueError,
            "`top_k` must be at most the number of symbols, 5, got 6",
        ),
        (
            lambda: jr.Sampler()(np.zeros(V, int), KEYS[0]),
            TypeError,
            "`logits` must be floating, got int64",
        ),
        (
            lambda: jr.Sampler()(np.zeros(V), None),
            ValueError,
            "a `Sampler` needs a `key` to draw with",
        ),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()
