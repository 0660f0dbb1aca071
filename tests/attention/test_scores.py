"""Every attention equals its equations, row by row; masks, single positions, NaN."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrnn import attention as ja
from laws.gradients import weigh
from laws.harness import close, finite, same_bits
from laws.oracles_attention import ATTENTIONS, sparsemax

B, Q, S, M, LOOKS = 5, 6, 7, 4, 3
RNG = np.random.default_rng(0)
QUERIES, MEMORY = RNG.normal(size=(LOOKS, B, Q)), RNG.normal(size=(B, S, M))
LENGTHS = np.array([7, 3, 0, 1, 5])
REAL = np.arange(S) < LENGTHS[:, None]
KINDS = {
    "dot": ja.Dot(),
    "scaled_dot": ja.ScaledDot(),
    "general": ja.General(),
    "general_sparsemax": ja.General(normalize="sparsemax"),
    "concat": ja.Concat(),
    "additive": ja.Additive(8),
    "additive_coverage": ja.Additive(8, coverage=True),
    "multi_head": ja.MultiHead(3, 9),
    "multi_head_sparsemax": ja.MultiHead(3, 9, normalize="sparsemax"),
    "location": ja.LocationAware(8, filters=2, width=3),
    "location_wide": ja.LocationAware(8, coverage=True, filters=2, width=4),
    "monotonic": ja.Monotonic(8, noise=0.5),
}
VALUE_ROWS = {"query_kernel": Q, "key_kernel": M, "value_kernel": 3, "output_kernel": 8}
COVERED = ("scaled_dot", "additive", "multi_head_sparsemax", "location")  # by others
every = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, id=name, marks=[pytest.mark.slow] * (name in COVERED))
        for name, kind in KINDS.items()
    ],
)


def memory_of(kind):
    return np.tile(MEMORY, 2)[..., :Q] if isinstance(kind, ja.Dot) else MEMORY


def drawn(kind, seed=0):
    rng, size = np.random.default_rng(seed), memory_of(kind).shape[-1]
    shapes = jax.eval_shape(lambda key: kind.init(key, Q, size), jax.random.key(0))
    return jax.tree.map(lambda a: jnp.asarray(rng.normal(size=a.shape)), shapes)


@functools.partial(jax.jit, static_argnums=0)
def looks(kind, params, queries, memory, mask=None, noise=None):
    """Alignments and contexts of some looks, one after another."""
    ready = kind.read(params, memory, mask)
    look, seen = kind.start(ready), []
    for query in queries:
        look, context = kind.look(ready, query, look, noise=noise)
        seen.append((look.alignment, context))
    return jax.tree.map(lambda *a: jnp.stack(a), *seen)


@functools.partial(jax.jit, static_argnums=0)
def once(kind, params, *arrays):
    return kind(params, *arrays)


def by_hand(kind, params, memory):
    oracle, size = ATTENTIONS[type(kind).__name__], kind.context_size(memory.shape[-1])
    params = jax.tree.map(np.asarray, params)
    alignments, contexts = np.zeros((LOOKS, B, S)), np.zeros((LOOKS, B, size))
    for row in range(B):
        keys = memory[row, : LENGTHS[row]]
        n = len(keys)
        last, coverage = np.zeros(n), np.zeros(n)
        if isinstance(kind, ja.Monotonic):
            last[:1] = 1
        for t in range(LOOKS if n else 0):
            past = {"alignment": last, "coverage": coverage}
            last, c = oracle(kind, params, QUERIES[t, row], keys, keys, past)
            coverage = coverage + last
            alignments[t, row, :n], contexts[t, row] = last, c
    return alignments, contexts


@every
def test_is_its_equations(kind):
    params, memory = drawn(kind), memory_of(kind)
    close(looks(kind, params, QUERIES, memory, REAL), by_hand(kind, params, memory))


@every
def test_one_position_is_read_as_it_is(kind):
    params, memory = drawn(kind), memory_of(kind)[:, :1]
    if isinstance(kind, ja.Monotonic):
        params["score_bias"] = jnp.asarray(9.0)  # it takes what it comes to
    context, weights = once(kind, params, QUERIES[0], memory)
    close(weights, np.ones((B, 1)))
    if not isinstance(kind, ja.MultiHead):  # which projects what it has read
        close(context, memory[:, 0])


@every
def test_padding_reaches_no_bit_and_no_gradient(kind):
    params, memory = drawn(kind), memory_of(kind)
    noise = np.ones((B, S)) if isinstance(kind, ja.Monotonic) else None

    @jax.jit
    def run(params, memory):
        total = lambda *args: sum(
            jnp.sum(jnp.sin(a)) for a in looks(kind, *args, REAL, noise)
        )
        return jax.value_and_grad(total, (0, 1, 2))(params, QUERIES, memory)

    clean = run(params, np.where(REAL[..., None], memory, 0))
    finite(clean)
    assert not np.any(np.asarray(clean[1][2])[~REAL])
    for garbage in (np.nan, np.inf, 1e30):
        same_bits(run(params, np.where(REAL[..., None], memory, garbage)), clean)


@every
def test_gradients_are_differences(kind):
    params, memory = drawn(kind), memory_of(kind)
    noise = RNG.normal(size=(B, S)) if isinstance(kind, ja.Monotonic) else None
    args = (params, QUERIES, memory)
    along = jax.tree.map(lambda a: RNG.normal(size=a.shape), args)

    @jax.jit
    def slope(a):
        def value(a):
            moved = jax.tree.map(lambda x, v: x + a * v, args, along)
            return weigh(looks(kind, *moved, REAL, noise))

        return value(a), jax.grad(value)(a)

    rise = lambda h: slope(h)[0] - slope(-h)[0]
    h = 1e-5
    close(slope(0.0)[1], (8 * rise(h) - rise(2 * h)) / (12 * h), 1e-6)


def test_keys_and_values_may_differ():
    kind = ja.MultiHead(2, 8)
    values = RNG.normal(size=(B, S, 3))
    params = {name: jnp.ones((n, 8)) for name, n in VALUE_ROWS.items()}
    shapes = jax.eval_shape(lambda key: kind.init(key, Q, M, 3), jax.random.key(0))
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, shapes)
    context, weights = once(kind, params, QUERIES[0], MEMORY, values, REAL)
    assert context.shape == (B, 8)
    general = ja.General()
    context, weights = once(general, drawn(general), QUERIES[0], MEMORY, values, REAL)
    close(context, np.einsum("bs,bsm->bm", weights, values))


def test_a_linear_score_of_both_depends_on_the_memory_alone():
    kind = ja.Concat()
    one, two = (once(kind, drawn(kind), query, MEMORY)[1] for query in QUERIES[:2])
    close(one, two)


def test_sparsemax_is_the_projection_on_the_simplex():
    scores = RNG.normal(size=(200, 6)) * RNG.choice([0.1, 1, 10], (200, 1))
    scores[:20] = np.round(scores[:20])  # ties
    got = jax.jit(ja.normalize.sparsemax)(scores)
    close(got, np.stack([sparsemax(row) for row in scores]), 1e-9)
    assert np.mean(np.asarray(got) == 0) > 0.2


def test_normalizing_scores_of_any_size_is_finite():
    for normalize in map(jax.jit, ja.normalize.NORMALIZERS.values()):
        scores = jnp.asarray([[1e30, -1e30, 0.0], [-1e30, -1e30, -1e30]])
        weights = normalize(scores)
        close(weights.sum(axis=-1), np.ones(2))
        assert weights[0, 0] == 1
        slope = jax.grad(lambda s, f=normalize: jnp.sum(f(s) ** 2))
        finite(jax.jit(slope)(scores))
        assert normalize(jnp.zeros((2, 0))).shape == (2, 0)


class TestMonotonic:
    def test_expected_alignments_are_those_of_all_ways(self):
        """Every sequence of coin tosses, weighed by how likely it is."""
        p, last = RNG.random(5), RNG.dirichlet(np.ones(5))
        expected = np.zeros(5)
        for begin in range(5):
            for end in range(begin, 5):
                passed = np.prod(1 - p[begin:end])
                expected[end] += last[begin] * passed * p[end]
        close(jax.jit(ja.monotonic.expected)(p, last), expected)

    def test_it_never_goes_back_and_stays_lost(self):
        kind = ja.Monotonic(8)
        queries = RNG.normal(size=(9, B, Q))
        weights, _ = looks(kind, drawn(kind, 3), queries, MEMORY, REAL)
        assert set(np.unique(weights)) == {0.0, 1.0}
        for row in range(B):
            taken = weights[:, row].sum(axis=-1)
            where = np.asarray(weights[:, row]).argmax(axis=-1)[np.asarray(taken) > 0]
            assert np.all(np.diff(where) >= 0)
            assert np.all(np.diff(taken) <= 0)

    def test_noise_is_drawn_under_a_key_alone(self):
        kind = ja.Monotonic(8, noise=2.0)
        ready = kind.read(drawn(kind), MEMORY)
        assert kind.draw(ready, None) == (None, None)
        noise, key = kind.draw(ready, jax.random.key(0))
        assert noise.shape == (B, S)
        assert 1 < np.std(noise) < 3
        assert ja.General().draw(ready, key) == (None, key)


ERRORS = {
    "normalize": (
        lambda: ja.General(normalize="max"),
        ValueError,
        "`normalize` must be one of 'softmax', 'sparsemax', got 'max'",
    ),
    "size": (
        lambda: ja.Additive(0),
        ValueError,
        "`size` must be at least 1, got 0",
    ),
    "heads": (
        lambda: ja.MultiHead(3, 8),
        ValueError,
        "`size` must be a multiple of `heads`, 3, got 8",
    ),
    "dot": (
        lambda: ja.Dot().init(jax.random.key(0), 4, 3),
        ValueError,
        "`Dot` needs queries and keys of one size, got 4 and 3: use `General`",
    ),
    "monotonic": (
        lambda: ja.Monotonic(4, normalize="sparsemax"),
        ValueError,
        "`Monotonic` has a rule of its own in place of `normalize`",
    ),
    "key": (
        lambda: ja.Dot()({}, np.ones((2, 3)), np.ones((4, 5, 3))),
        ValueError,
        "`key` must have shape (*batch, S, K), its batch axes those of `query`, (2,), "
        "got (4, 5, 3)",
    ),
    "value": (
        lambda: ja.Dot()({}, np.ones(3), np.ones((5, 3)), np.ones((4, 2))),
        ValueError,
        "`value` must have shape (*batch, S, M), (*batch, S) = (5,), got (4, 2)",
    ),
    "mask": (
        lambda: ja.Dot()({}, np.ones(3), np.ones((5, 3)), mask=np.ones(5)),
        ValueError,
        "`mask` of a memory must be boolean, of shape (*batch, S) = (5,), got "
        "float64[5]",
    ),
}


@pytest.mark.parametrize("call, error, message", ERRORS.values(), ids=ERRORS.keys())
def test_errors(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        call()


def test_a_memory_without_positions_gives_zeros():
    for score in (ja.LocationAware(6, filters=2, width=3), ja.Additive(6)):
        params = score.init(jax.random.key(0), 4, 3, dtype=jnp.float64)
        context, weights = score(params, jnp.ones((2, 4)), jnp.ones((2, 0, 3)))
        assert weights.shape == (2, 0)
        np.testing.assert_array_equal(context, np.zeros((2, 3)))
