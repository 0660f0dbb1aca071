"""Writing until the end: against the loop by hand, row by row."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from jaxrnn.seq2seq.decode import _decoded

V, STEPS, END = 5, 9, 3
MODEL = jr.Stack(
    jr.Embed(V, 3), jr.GRU(4), jr.Dropout(0.5), jr.Dense(V), param_dtype="float64"
)
PARAMS = jax.tree.map(lambda a: 2 * a, parameters(MODEL, seed=8))
FIRST, KEY = jnp.array([0, 4, 2, 3, 1, 0]), jax.random.key(1)
SAMPLERS = {"greedy": (jr.greedy, None), "sampler": (jr.Sampler(1.5, top_k=4), KEY)}
HIDDEN = MODEL.hidden


def by_hand(sampler, key, min_steps):
    """Ids, log-probabilities and hidden states of every row, as lists."""
    ready, x = MODEL.prepare(PARAMS), FIRST
    carry, step = MODEL.initial_carry(ready, FIRST.shape), jax.jit(MODEL.step)
    rows, going = [[] for _ in FIRST], [True] * len(FIRST)
    for t in range(STEPS):
        carry, logits = step(ready, carry, x)
        log_p = jax.nn.log_softmax(logits)
        log_p = log_p.at[:, END].set(-np.inf) if t + 1 < min_steps else log_p
        x = sampler(log_p, None if key is None else jax.random.fold_in(key, t))
        x = jnp.where(jnp.array(going), x, END)
        for b, row in enumerate(rows):
            if going[b]:
                row.append((int(x[b]), float(log_p[b, x[b]]), HIDDEN(carry)[b]))
                going[b] = row[-1][0] != END
    return rows


@pytest.mark.parametrize("min_steps", [0, 4])
@pytest.mark.parametrize(("sampler", "key"), SAMPLERS.values(), ids=SAMPLERS)
def test_equals_the_loop(sampler, key, min_steps):
    options = {"sampler": sampler, "key": key, "min_steps": min_steps}
    found = jr.decode(
        MODEL, PARAMS, FIRST, steps=STEPS, end=END, collect=HIDDEN, **options
    )
    rows = by_hand(sampler, key, min_steps)
    assert found.lengths.tolist() == [len(row) for row in rows]
    assert len(set(found.lengths.tolist())) > 1 and found.finished.any()
    for b, row in enumerate(rows):
        ids, own, hidden = zip(*row, strict=True)
        rest = STEPS - len(row)
        assert found.ids[:, b].tolist() == [*ids, *[END] * rest]
        assert found.finished[b] == (ids[-1] == END)
        np.testing.assert_allclose(found.log_probs[b], sum(own), 1e-12)
        np.testing.assert_allclose(found.collected[: len(row), b], hidden, 1e-12)
        assert not found.collected[len(row) :, b].any()
    np.testing.assert_array_equal(found.scores, found.log_probs)


def test_without_an_end_it_is_generate():
    params = (*PARAMS[:-1], dict(PARAMS[-1]))
    params[-1]["bias"] = params[-1]["bias"].at[END].set(-np.inf)
    found = jr.decode(MODEL, params, FIRST, steps=STEPS, end=END)
    _, ids = jr.generate(MODEL, params, FIRST, steps=STEPS)
    np.testing.assert_array_equal(found.ids, ids)
    assert found.lengths.tolist() == [STEPS] * len(FIRST) and not found.finished.any()


def test_it_stops_with_the_longest_row():
    steps = []

    def step(params, carry, x):
        jax.debug.callback(lambda: steps.append(1))
        return carry - 1, jnp.where(carry[:, None] > 0, *params)

    ends = jnp.array([0.0, 9.0])
    found = jr.decode(
        step, (-ends, ends), jnp.zeros(3, int), jnp.array([2, 0, 4]), steps=20, end=1
    )
    jax.block_until_ready(found)
    jax.effects_barrier()
    assert found.lengths.tolist() == [3, 1, 5] and len(steps) == 5


def test_rows_alone_and_without_a_batch_axis():
    options = {"steps": STEPS, "end": END, "collect": HIDDEN}
    together = jr.decode(MODEL, PARAMS, FIRST, **options)
    alone = jr.decode(MODEL, PARAMS, FIRST[1], **options)
    assert alone.ids.shape == (STEPS,) and alone.lengths.shape == ()
    np.testing.assert_array_equal(alone.ids, together.ids[:, 1])
    np.testing.assert_allclose(alone.collected, together.collected[:, 1], 1e-12)
    nothing = jr.decode(MODEL, PARAMS, FIRST, **options | {"steps": 0})
    assert nothing.ids.shape == (0, 6) and not nothing.log_probs.any()


def test_an_ensemble_and_a_hopeless_row():
    other = jax.tree.map(lambda a: 2 * a, parameters(MODEL, seed=5))
    options = {"steps": STEPS, "end": END}
    models, both = (MODEL, MODEL), (PARAMS, other)
    found = jr.decode(models, both, FIRST, **options)
    beam = jr.beam_search(models, both, FIRST, beam=1, **options)
    np.testing.assert_array_equal(found.ids, beam.ids[..., 0])
    np.testing.assert_allclose(found.scores, beam.scores[..., 0], 1e-12)
    step = lambda params, carry, x: (carry, jnp.full((2, 3), jnp.nan).at[1].set(0))
    found = jr.decode(step, (), jnp.zeros(2, int), (), steps=2, end=2)
    np.testing.assert_allclose(found.scores, [-np.inf, -2 * np.log(3)])
    np.testing.assert_array_equal(found.ids, np.zeros((2, 2)))


def test_one_program_for_every_temperature_and_key():
    draw = lambda heat, seed: jr.decode(
        *(MODEL, PARAMS, FIRST),
        **{"steps": 3, "end": END, "sampler": jr.Sampler(heat)},
        key=jax.random.key(seed),
    )
    draw(1.0, 0)
    compiled = _decoded._cache_size()
    draw(0.5, 1), draw(0.0, 2)
    assert _decoded._cache_size() == compiled
