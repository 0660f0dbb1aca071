"""xLSTM's cells: exponential gates of any size, and a memory that chunks attend to."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

import jaxrnn as jr
from laws.case import Case, draw_case, loop
from laws.gradients import gradients
from laws.harness import BATCH, HOLES, LENGTHS, RESETS, STEPS, close, finite
from laws.rows import Row

HEADS, D = 2, 4
MATRIX = jr.MatrixLSTM(HEADS, D, chunk=3)
SCALAR = jr.ScalarLSTM(6, heads=2)
CELLS = [MATRIX, SCALAR]
FLAGS = {"mask": HOLES, "reset": RESETS}
SCAN = ("method", "scan")


def drawn(cell: jr.Cell, steps: int = STEPS, batch: tuple = (BATCH,)) -> Case:
    return draw_case(Row(type(cell).__name__, cell), steps, batch)


SIZES = [
    *((23, 8, (5,)), (12, 6, (2, 3))),
    *(
        pytest.param(*size, marks=pytest.mark.slow)
        for size in ((9, 64, ()), (3, 1, (5,)), (1, 8, (5,)))
    ),
]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("steps, chunk, batch", SIZES)
def test_chunks_are_steps(steps, chunk, batch, backwards):
    case = drawn(jr.MatrixLSTM(HEADS, D, chunk=chunk), steps, batch)
    rng = np.random.default_rng(0)
    mask, reset = (rng.random((steps, *batch)) < rate for rate in (0.7, 0.2))
    for flags in ({}, {"mask": mask, "reset": reset}):
        got = case.unroll(reverse=backwards, **flags)
        close(got, loop(case, reverse=backwards, **flags)[:2])


@pytest.mark.parametrize(
    "backwards", [True, pytest.param(False, marks=pytest.mark.slow)]
)
def test_gradients_of_chunks_are_those_of_steps(backwards):
    case, road = drawn(MATRIX), ("reverse", backwards)
    got = gradients(case, static=(road,), **FLAGS)
    close(got, gradients(case, static=(road, SCAN), **FLAGS))


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_chunks_of_time_with_a_carried_state_are_the_whole(cell):
    case = drawn(cell)
    carry, begun = case.steps(slice(4)).unroll(mask=HOLES[:4], reset=RESETS[:4])
    rest = case.steps(slice(4, None)).but(carry=carry)
    carry, ended = rest.unroll(mask=HOLES[4:], reset=RESETS[4:])
    close((carry, np.concatenate([begun, ended])), case.unroll(**FLAGS))


def test_a_learned_start_takes_the_place_at_resets_too():
    cell = jr.LearnedCarry(MATRIX)
    close(drawn(cell).unroll(**FLAGS), loop(drawn(cell), **FLAGS)[:2])
    close(drawn(cell).unroll(), loop(drawn(cell))[:2])


def test_carries_are_recorded_step_by_step():
    collected = drawn(MATRIX).unroll(collect=lambda carry: carry, **FLAGS)
    close(collected, loop(drawn(MATRIX), **FLAGS))


def largest(jaxpr) -> int:
    """The elements of the largest array in a program."""
    inner = [sub for e in jaxpr.eqns for sub in jaxprs_in_params(e.params)]
    sizes = [math.prod(v.aval.shape) for e in jaxpr.eqns for v in e.outvars]
    return max([*sizes, *map(largest, inner)])


def slope(cell, steps, **options):
    """Value and gradient of a run, as a function of shapes."""
    params = jax.eval_shape(lambda key: cell.init(key, D), jax.random.key(0))
    xs = jax.ShapeDtypeStruct((steps, BATCH, D), jnp.float32)

    def loss(params, xs):
        carry, ys = jr.unroll(cell, params, xs, **options)
        return jnp.sum(ys**2) + jnp.sum(carry.memory**2)

    return jax.value_and_grad(loss, (0, 1)), params, xs


def test_no_memory_is_kept_for_every_step():
    steps, d = 32, 16
    memories = steps * BATCH * HEADS * d * d
    cell = jr.MatrixLSTM(HEADS, d, chunk=8)
    sizes = {}
    for method in ("auto", "scan"):
        function, *shapes = slope(cell, steps, method=method)
        sizes[method] = largest(jax.make_jaxpr(function)(*shapes).jaxpr)
    assert sizes["auto"] < memories // 2
    assert sizes["scan"] >= memories


def test_a_long_sequence_keeps_little_more_than_what_it_reads():
    cell, steps = jr.MatrixLSTM(HEADS, 32), 4096
    function, *shapes = slope(cell, steps)
    program = jax.jit(function).lower(*shapes).compile()
    read = 4 * steps * BATCH * 4 * HEADS * 32  # q, k, v and o in float32
    assert program.memory_analysis().temp_size_in_bytes < 4 * read


def naive(cell, params, xs):
    """The equations without a stabiliser, in numbers of which none overflows here."""
    params = {name: np.asarray(a, np.longdouble) for name, a in params.items()}
    run = matrix_naive if isinstance(cell, jr.MatrixLSTM) else scalar_naive
    return np.stack([run(cell, params, row) for row in xs.swapaxes(0, 1)], 1)


def s(a):
    return 1 / (1 + np.exp(-a))


def matrix_naive(cell, params, xs):
    d, ys = cell.head_size, []
    C, u = np.zeros((cell.heads, d, d)), np.zeros((cell.heads, d))
    for x in xs:
        wide = x @ params["kernel"] + params["bias"]
        q, k, v, o = wide.reshape(4, cell.heads, d)
        gates = x @ params["gate_kernel"] + params["gate_bias"]
        i, f = gates.reshape(2, cell.heads, 1)
        i, f, k = np.exp(i), s(f), k / np.sqrt(np.longdouble(d))
        C = f[..., None] * C + i[..., None] * v[:, :, None] * k[:, None, :]
        u = f * u + i * k
        read, weight = (C * q[:, None, :]).sum(-1), (u * q).sum(-1, keepdims=True)
        ys.append((s(o) * read / np.maximum(abs(weight), 1)).reshape(-1))
    return np.stack(ys).astype(np.float64)


def scalar_naive(cell, params, xs):
    H, d, ys = cell.hidden_size, cell.hidden_size // cell.heads, []
    h = c = n = np.zeros(H)
    for x in xs:
        heads = zip(h.reshape(-1, d), params["recurrent_kernel"], strict=True)
        back = np.stack([(part @ U).reshape(4, d) for part, U in heads], 1)
        gates = x @ params["kernel"] + params["bias"] + back.reshape(-1)
        i, f, o, z = gates.reshape(4, H)
        c, n = s(f) * c + np.exp(i) * np.tanh(z), s(f) * n + np.exp(i)
        h = s(o) * c / n
        ys.append(h)
    return np.stack(ys).astype(np.float64)


def with_gates(case: Case, log_i: float, f: float) -> Case:
    """The case with other biases of the input and the forget gates."""
    params = dict(case.params)
    name = "gate_bias" if isinstance(case.cell, jr.MatrixLSTM) else "bias"
    size = HEADS if isinstance(case.cell, jr.MatrixLSTM) else case.cell.hidden_size
    params[name] = params[name].at[: 2 * size].set(np.repeat([log_i, f], size))
    return case.but(params=params, carry=None)


GATES = [(i, f) for i in (-1e3, 0.0, 1e3) for f in (-1e3, 0.0, 1e3)]
wide_enough = pytest.mark.skipif(
    np.finfo(np.longdouble).maxexp < 16_000, reason="long double is double here"
)


@wide_enough
@pytest.mark.parametrize("log_i, f", GATES)
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_gates_of_any_size_give_the_equations_numbers(cell, log_i, f):
    case = with_gates(drawn(cell), log_i, f)
    expected = naive(cell, case.params, case.xs)
    for method in ("auto", "scan"):
        close(case.unroll(method=method)[1], expected, 1e-10)


@wide_enough
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_gates_that_jump_give_the_equations_numbers(cell):
    case = drawn(cell).but(carry=None)
    names = {"gate_kernel", "gate_bias"} & case.params.keys() or {"kernel"}
    params = {n: a * 300 if n in names else a for n, a in case.params.items()}
    case = case.but(params=params)
    for method in ("auto", "scan"):
        ys = case.unroll(method=method)[1]
        close(ys, naive(cell, params, case.xs), 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("log_i, f", GATES)
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_gradients_are_finite_whatever_the_gates(cell, log_i, f, dtype):
    """Also where all is zero but the gates."""
    case = drawn(cell)
    cast = lambda tree: jax.tree.map(lambda a: jnp.asarray(a, dtype), tree)
    start = cast(jax.tree.map(jnp.zeros_like, case.carry))
    for scale in (1, 0):
        params = jax.tree.map(lambda a, s=scale: s * a, case.params)
        given = with_gates(case.but(params=params), log_i, f)
        given = given.but(
            params=cast(given.params), xs=cast(scale * case.xs), carry=start
        )
        for road in ((), (SCAN,)):
            finite(gradients(given, static=road, **FLAGS))


@functools.partial(jax.jit, static_argnums=(0, 1))
def value_and_slope(cell, method, start, along, step):
    """The weighed outputs, at some step along a line, and how fast they change."""

    def value(step):
        params, xs = jax.tree.map(lambda a, v: a + step * v, start, along)
        _, ys = jr.unroll(cell, params, xs, method=method)
        return jnp.sum(np.random.default_rng(0).normal(size=ys.shape) * ys)

    return jax.value_and_grad(value)(step)


@pytest.mark.parametrize(
    "log_i, f",
    [GATES[0], *(pytest.param(*g, marks=pytest.mark.slow) for g in GATES[1:])],
)
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_gradients_are_differences_whatever_the_gates(cell, log_i, f):
    case = with_gates(drawn(cell, 5, (2,)), log_i, f)
    rng, start = np.random.default_rng(1), (case.params, case.xs)
    # A short line: C q / |u . q| may have a pole nearby.
    along = jax.tree.map(lambda a: rng.normal(scale=0.01, size=a.shape), start)
    for method in ("auto", "scan"):
        run = functools.partial(value_and_slope, cell, method, start, along)
        rise = lambda h, run=run: run(h)[0] - run(-h)[0]
        expected = (8 * rise(1e-4) - rise(2e-4)) / 12e-4
        np.testing.assert_allclose(run(0.0)[1], expected, 1e-7, 1e-7)


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_numbers_do_not_depend_on_the_stabiliser(cell):
    case = drawn(cell)
    m = case.carry.stabiliser
    shift = np.random.default_rng(0).normal(scale=9, size=m.shape)
    carry = case.carry._asdict()
    for name in {"memory", "normaliser", "cell"} & carry.keys():
        rank = carry[name].ndim
        carry[name] *= np.exp(-np.expand_dims(shift, tuple(range(shift.ndim, rank))))
    carry["stabiliser"] += shift
    other = case.but(carry=type(case.carry)(**carry))
    for method in ("auto", "scan"):
        options = {"method": method, "mask": HOLES}
        close(other.unroll(**options)[1], case.unroll(**options)[1], 1e-11)


def test_a_first_candidate_comes_through_whatever_its_gate():
    """h = o * (i z) / i, also where i is too small a number to be one."""
    case = with_gates(drawn(SCALAR, 1), -1e3, 1e3)
    gates = case.xs @ case.params["kernel"] + case.params["bias"]
    _, _, o, z = np.split(np.asarray(gates), 4, axis=-1)
    close(case.unroll()[1], s(o) * np.tanh(z))


def test_heads_read_themselves_alone():
    case = drawn(SCALAR)
    half = SCALAR.hidden_size // 2
    hidden = np.array(case.carry.hidden)
    hidden[:, :half] += 1
    other = case.but(carry=case.carry._replace(hidden=hidden)).unroll()[1]
    change = np.asarray(other - case.unroll()[1])
    assert (change[0, :, :half] != 0).all()
    assert (change[..., half:] == 0).all()


def test_a_step_of_all_heads_has_one_product():
    case = drawn(SCALAR)
    ready = SCALAR.prepare(case.params)
    z = SCALAR.project(ready, case.xs[0])
    step = jax.make_jaxpr(functools.partial(SCALAR.recur, ready))(case.carry, z)
    assert str(step).count("dot_general") == 1


def test_half_of_a_head_is_refused():
    with pytest.raises(ValueError, match="multiple of `heads` = 2, got 5"):
        jr.ScalarLSTM(5, heads=2)


@pytest.mark.slow
def test_checkpointed_chunks_are_the_whole():
    case = drawn(MATRIX)
    whole = gradients(case, **FLAGS)
    close(gradients(case, static=(("checkpoint", 5),), **FLAGS), whole, 1e-11)
    close(case.unroll(lengths=LENGTHS), case.unroll(lengths=LENGTHS, checkpoint=5))
