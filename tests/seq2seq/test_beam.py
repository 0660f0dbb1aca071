"""Beam search: against brute force, the loop by hand, and teacher forcing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

import jaxrnn as jr
from drawn import parameters
from jaxrnn.seq2seq.beam.scores import real_positions
from jaxrnn.seq2seq.beam.search import _searched
from seq2seq import beam_oracle as oracle

END = 1
LOOK = lambda carry: carry.alignment


def search(tables, **options):
    rows = tables["logits"].shape[0]
    first = jnp.full(rows, 2)
    options = {"end": END, "collect": LOOK} | options
    start = oracle.start(tables)
    return jr.beam_search(oracle.step, tables, first, start, **options)


def check(found, tables, hypotheses, *, steps, **options):
    """Every hypothesis of every row, in order, and nothing after them."""
    for b, expected in enumerate(hypotheses):
        row, dead = oracle.Row(tables, b), np.asarray(found.scores)[b] == -np.inf
        np.testing.assert_array_equal(dead, np.arange(len(dead)) >= len(expected))
        for n, h in enumerate(expected):
            ids = [*h, *[options["end"]] * (steps - len(h))]
            np.testing.assert_array_equal(found.ids[:, b, n], ids)
            assert found.lengths[b, n] == len(h)
            assert found.finished[b, n] == (h[-1] == options["end"])
            close = lambda a, b: np.testing.assert_allclose(a, b, 1e-12, 1e-12)
            close(found.log_probs[b, n], row.log_prob(h))
            close(found.scores[b, n], oracle.score(row, h, **options))
            close(found.collected[: len(h), b, n], row.alignments(h))
            assert not found.collected[len(h) :, b, n].any()
        assert (np.asarray(found.lengths)[b, dead] == 0).all()
        assert (np.asarray(found.ids)[:, b, dead] == options["end"]).all()
        assert not np.asarray(found.finished)[b, dead].any()


RULES = {
    "plain": {},
    "length": {"length_penalty": 0.8},
    "reversed length": {"length_penalty": -0.5},
    "average": {"length_penalty": "average"},
    "coverage": {"coverage_penalty": 0.4, "length_penalty": 0.3},
    "runs": {"no_repeat": 2, "min_steps": 4},
    "once, prefix": {"no_repeat": 1, "prefix": (-1, 2, -1)},
    "all": {"length_penalty": 0.5, "no_repeat": 2, "min_steps": 3, "prefix": (0,)},
}


SLOW = ("runs", "once, prefix")  # "all" and the narrow beams have them too


def asked(options, rows):
    """The options as `beam_search` takes them: a prefix for every row."""
    if "prefix" not in options:
        return options
    prefix = np.array(options["prefix"])[:, None]
    return options | {"prefix": np.repeat(prefix, rows, 1)}


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(rules, id=name, marks=[pytest.mark.slow] * (name in SLOW))
        for name, rules in RULES.items()
    ],
)
def test_a_beam_as_wide_as_the_space_is_brute_force(rules):
    steps, rows = 4, 12
    tables = oracle.tables(rows, 3, steps)
    options = rules | {"steps": steps, "end": END}
    found = search(tables, beam=31, **asked(options, rows))
    every = [oracle.everything(oracle.Row(tables, b), **options) for b in range(rows)]
    check(found, tables, [e[:31] for e in every], **options)


WIDTHS = [
    pytest.param({"beam": 1}, marks=pytest.mark.slow),
    {"beam": 3, "nbest": 2, "length_penalty": "average", "prefix": (3, -1, 0)},
    {"beam": 5, "no_repeat": 2, "min_steps": 2, "coverage_penalty": 0.3},
    pytest.param({"beam": 6, "groups": 2}, marks=pytest.mark.slow),
    {"beam": 6, "groups": 2, "diversity": 0.7},
    {"beam": 6, "groups": 3, "nbest": 4, "length_penalty": 1.2, "diversity": 0.4},
    pytest.param(
        {"beam": 4, "groups": 4, "diversity": 3.0, "prefix": (3, -1, 0)},
        marks=pytest.mark.slow,
    ),
]


@pytest.mark.parametrize("options", WIDTHS, ids=str)
def test_a_narrow_beam_is_the_loop(options):
    steps, rows = 6, 12
    tables = oracle.tables(rows, 4, steps, seed=1)
    options = options | {"steps": steps, "end": END}
    found = search(tables, **asked(options, rows))
    expected = [
        oracle.searched(oracle.Row(tables, b), **({"nbest": options["beam"]} | options))
        for b in range(rows)
    ]
    check(found, tables, expected, **options)


def test_it_stops_when_nothing_can_change():
    """Rows end at different steps; the longest alone decides how many there are."""
    steps, rows = 6, 12
    tables = oracle.tables(rows, 3, steps, seed=2)
    short = {**tables, "logits": tables["logits"].at[..., END].add(9.0)}
    taken = []
    for given in (tables, short):
        counted = []

        def step(params, carry, x, counted=counted):
            jax.debug.callback(lambda: counted.append(1))
            return oracle.step(params, carry, x)

        found = jr.beam_search(
            *(step, given, jnp.full(rows, 2), oracle.start(given)),
            **{"beam": 3, "steps": steps, "end": END, "nbest": 1, "collect": LOOK},
        )
        jax.block_until_ready(found)
        jax.effects_barrier()
        taken.append(len(counted))
        expected = [
            oracle.searched(oracle.Row(given, b), beam=3, steps=steps, end=END, nbest=1)
            for b in range(rows)
        ]
        check(found, given, expected, steps=steps, end=END)
    assert taken[1] < taken[0] <= 3 * steps


SMALL = {"beam": 4, "steps": 3}


def test_ties_go_to_the_lower_slot_and_symbol():
    tables = jax.tree.map(jnp.zeros_like, oracle.tables(3, 3, 3))
    expected = [(1,), (0, 1), (0, 0, 1), (0, 0, 0)]
    options = SMALL | {"nbest": 4, "end": END}
    assert oracle.searched(oracle.Row(tables, 0), **options) == expected
    check(search(tables, **SMALL), tables, 3 * [expected], steps=3, end=END)


def test_what_cannot_be_is_not_found():
    tables = oracle.tables(3, 3, 3)
    logits = tables["logits"].at[0].set(jnp.nan).at[1, :, 0].set(-jnp.inf)
    found = search(tables | {"logits": logits}, **SMALL)
    np.testing.assert_array_equal(found.scores[0], [-np.inf] * 4)
    assert (found.lengths[0] == 0).all() and (found.ids[:, 0] == END).all()
    np.testing.assert_array_equal(found.scores[1] > -np.inf, [True] * 4)
    assert not (found.ids[:, 1] == 0).any() and np.isfinite(found.scores[2]).all()


def test_a_slot_without_numbers_takes_nobody_with_it():
    """Not even where alignments count, which are no numbers there either."""
    tables = oracle.tables(3, 3, 3)
    broken = {name: table.at[:, 1].set(jnp.nan) for name, table in tables.items()}
    found = search(broken, **SMALL, coverage_penalty=0.3)
    assert not np.isnan(found.scores).any() and (found.lengths[:, 0] > 0).all()
    assert not (found.ids[0] == 0).any()  # what follows on 0 cannot be


def test_rows_together_alone_and_in_any_order():
    tables = oracle.tables(6, 3, 3, seed=3)
    tables["logits"] = tables["logits"].at[::2, :, END].add(4.0)  # some end at once
    whole, order = search(tables, **SMALL), np.array([4, 0, 3])
    part = search(jax.tree.map(lambda a: a[order], tables), **SMALL)
    for name, own in part._asdict().items():
        axis = 1 if name in ("ids", "collected") else 0
        expected = np.take(np.asarray(getattr(whole, name)), order, axis)
        np.testing.assert_array_equal(own, expected)


V, STEPS = 6, 7
LANGUAGE = jr.Stack(
    *(jr.Embed(V, 3), jr.LSTM(4), jr.Dropout(0.5), jr.GRU(5), jr.Dense(V)),
    param_dtype="float64",
)
SIMPLE = jr.Stack(jr.Embed(V, 3), jr.Elman(4), jr.Dense(V), param_dtype="float64")
TRANSLATE = jr.EncoderDecoder(
    jr.Stack(jr.Embed(V, 3), jr.GRU(4), jr.Dense(V)),
    encoder=jr.Stack(jr.Embed(9, 2), jr.GRU(4)),
    param_dtype="float64",
)
SOURCE = {
    "source": jnp.array([[8, 3, 0, 1], [5, 5, 2, 2], [7, 1, 1, 1]]),
    "lengths": jnp.array([4, 3, 0]),
}
MODELS = {"language model": (LANGUAGE, None), "encoder-decoder": (TRANSLATE, SOURCE)}
FIRST = jnp.array([0, 4, 2])


def made(model):
    return jax.tree.map(lambda a: 2 * a, parameters(model, seed=5))


def rescored(model, params, found, n, **options):
    """Log-probabilities of what was found, by teacher forcing, and hidden states."""
    ids, lengths = found.ids[..., n], found.lengths[..., n]
    inputs = jnp.concatenate([FIRST[None].astype(ids.dtype), ids])[: len(ids)]
    _, logits, hidden = jr.unroll(
        *(model, params, inputs),
        **{"lengths": lengths, "collect": model.hidden},
        **options,
    )
    own = jnp.take_along_axis(jax.nn.log_softmax(logits), ids[..., None], -1)[..., 0]
    real = jnp.arange(len(ids), dtype=lengths.dtype)[:, None] < lengths
    return jnp.sum(own, 0, where=real), jnp.where(real[..., None], hidden, 0)


@pytest.mark.parametrize(("model", "context"), MODELS.values(), ids=MODELS)
def test_scores_are_those_of_teacher_forcing(model, context):
    params = made(model)
    options = {"end": 0, "steps": STEPS, "context": context, "collect": model.hidden}
    found = jr.beam_search(model, params, FIRST, beam=4, **options)
    assert found.finished.any() and len(set(found.lengths.ravel().tolist())) > 2
    for n in range(4):
        expected, hidden = rescored(model, params, found, n, context=context)
        np.testing.assert_allclose(found.log_probs[..., n], expected, 1e-12)
        np.testing.assert_allclose(found.collected[..., n, :], hidden, atol=1e-12)
    np.testing.assert_array_equal(found.scores, found.log_probs)
    assert (np.diff(found.scores) <= 0).all()


def test_a_beam_of_1_is_greedy():
    params, options = made(SIMPLE), {"end": 0, "steps": STEPS}
    one = jr.beam_search(SIMPLE, params, FIRST, beam=1, **options)
    greedy = jr.decode(SIMPLE, params, FIRST, **options)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(greedy), strict=True):
        np.testing.assert_allclose(a[..., 0], b, 1e-12)


def test_any_batch_axes_and_a_carry_given():
    params, options = made(SIMPLE), {"beam": 3, "steps": STEPS, "end": 0}
    together = jr.beam_search(SIMPLE, params, FIRST, **options)
    alone = jr.beam_search(SIMPLE, params, FIRST[1], **options)
    assert alone.ids.shape == (STEPS, 3) and alone.scores.shape == (3,)
    np.testing.assert_array_equal(alone.ids, together.ids[:, 1])
    carry, _ = jr.unroll(SIMPLE, params, FIRST[None])
    going_on = jr.beam_search(SIMPLE, params, jnp.full(3, 5), carry, **options)
    given = jnp.full((1, 3), 5)
    prefixed = jr.beam_search(
        *(SIMPLE, params, FIRST),
        **options | {"steps": STEPS + 1, "prefix": given},
    )
    np.testing.assert_array_equal(prefixed.ids[1:], going_on.ids)
    shapes = lambda first: jax.eval_shape(
        lambda params: jr.beam_search(SIMPLE, params, first, **options).ids, params
    )
    assert shapes(FIRST[:0]).shape == (STEPS, 0, 3)
    assert shapes(FIRST.reshape(1, 3, 1)).shape == (STEPS, 1, 3, 1, 3)


def test_no_steps_leave_the_empty_hypothesis():
    params = made(SIMPLE)
    found = jr.beam_search(SIMPLE, params, FIRST, beam=2, steps=0, end=0)
    assert found.ids.shape == (0, 3, 2) and not found.finished.any()
    np.testing.assert_array_equal(found.scores, [[0, -np.inf]] * 3)
    np.testing.assert_array_equal(found.lengths, np.zeros((3, 2)))


def test_an_ensemble_means_probabilities():
    steps, rows = 4, 5
    each = [oracle.tables(rows, 3, steps, seed=seed) for seed in (5, 6)]
    options = {"beam": 3, "steps": steps, "end": END}
    mean = np.logaddexp(*(oracle.log_softmax(t["logits"]) for t in each)) - np.log(2)
    models, first = (oracle.step,) * 2, jnp.full(rows, 2)
    found = jr.beam_search(
        *(models, tuple(each), first, tuple(map(oracle.start, each))),
        **options | {"collect": lambda carries: carries[0].alignment},
    )
    tables = each[0] | {"logits": mean}
    expected = [
        oracle.searched(oracle.Row(tables, b), nbest=3, **options) for b in range(rows)
    ]
    check(found, tables, expected, steps=steps, end=END)
    params, options = made(SIMPLE), {"beam": 3, "steps": STEPS, "end": 0}
    one = jr.beam_search(SIMPLE, params, FIRST, **options)
    two = jr.beam_search((SIMPLE,) * 2, (params,) * 2, FIRST, **options)
    np.testing.assert_array_equal(one.ids, two.ids)
    np.testing.assert_allclose(one.scores, two.scores, 1e-12)


def test_numbers_are_at_least_float32():
    model = SIMPLE.replace(dtype="bfloat16", param_dtype="bfloat16")
    params = jax.tree.map(lambda a: a.astype("bfloat16"), made(SIMPLE))
    found = jax.eval_shape(
        lambda: jr.beam_search(model, params, FIRST, beam=3, steps=4, end=0)
    )
    assert found.scores.dtype == np.float32 and found.ids.dtype == np.int32


def test_padding_of_the_memory_changes_nothing():
    reader = jr.Attend(jr.Elman(4), memory_size=3)
    model = jr.Stack(jr.Embed(V, 3), reader, jr.Dense(V), param_dtype="float64")
    memory = np.random.default_rng(0).standard_normal((3, 4, 3))
    mask = np.arange(4) < np.array([4, 2, 3])[:, None]
    found = []
    for more in (0, 2):
        padded = np.pad(memory, ((0, 0), (0, more), (0, 0)), constant_values=np.nan)
        real = np.pad(mask, ((0, 0), (0, more)))
        found.append(
            jr.beam_search(
                *(model, made(model), FIRST),
                **{"beam": 3, "steps": 4, "end": 0, "coverage_penalty": 0.4},
                context={"memory": padded, "mask": real},
                collect=lambda carry: carry[1].alignment,
            )
        )
    short, long = found
    assert not long.collected[..., 4:].any() and (short.scores != short.log_probs).any()
    long = long._replace(collected=long.collected[..., :4])
    for a, b in zip(short, long, strict=True):
        np.testing.assert_allclose(a, b, 1e-12, 1e-15)


def test_real_positions_by_mask_or_lengths():
    lengths, mask = np.array([2, 0]), np.array([[True, True, False], [False] * 3])
    for context in ({"mask": mask}, {"lengths": lengths}):
        np.testing.assert_array_equal(real_positions(context, 3), mask)
    assert real_positions(None, 3) is None and real_positions({"memory": 0}, 3) is None


def test_one_program_for_every_weight():
    tables = oracle.tables(2, 3, 3)
    weights = lambda alpha, beta, diversity: search(
        tables,
        **{"beam": 4, "groups": 2, "steps": 3, "nbest": 1},
        **{"length_penalty": alpha, "coverage_penalty": beta, "diversity": diversity},
    )
    weights(0.5, 0.1, 0.2)
    compiled = _searched._cache_size()
    weights(1, 2.0, 0), weights("average", 0.3, jnp.float32(0.4))
    assert _searched._cache_size() == compiled


def shapes(jaxpr):
    """The shapes of everything that a program computes, its parts included."""
    for equation in jaxpr.eqns:
        yield from (v.aval.shape for v in equation.outvars)
        for part in jaxprs_in_params(equation.params):
            yield from shapes(part)


def test_the_memory_is_there_once():
    B, S, M, K = 2, 11, 13, 5
    model = jr.Stack(jr.Embed(V, 3), jr.Attend(jr.GRU(7), memory_size=M), jr.Dense(V))
    params = parameters(model)
    memory = jnp.ones((B, S, M), jnp.float32)

    def found(params, memory):
        context = {"memory": memory}
        look = lambda carry: carry[1].alignment
        return jr.beam_search(
            *(model, params, jnp.zeros(B, int)),
            **{"beam": K, "steps": 3, "end": 0, "context": context, "collect": look},
        )

    program = jax.make_jaxpr(found)(params, memory)
    made = set(shapes(program.jaxpr))
    assert any({K, B, S} <= set(shape) for shape in made)  # the alignments
    held = [s for s in made if S in s and (M in s or 7 in s)]
    assert held and not any(K in shape for shape in held)
