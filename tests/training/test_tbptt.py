"""Truncated backpropagation, against its definition worked out in NumPy."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from laws.harness import close, same_bits

T, B, INPUTS, HIDDEN, OUTPUTS = 11, 3, 2, 4, 5
MODEL = jr.Stack(jr.Elman(HIDDEN), jr.Dense(OUTPUTS), param_dtype="float64")

_rng = np.random.default_rng(0)
XS = _rng.normal(size=(T, B, INPUTS))
TARGETS = _rng.normal(size=(T, B, OUTPUTS))
MASK = _rng.random((T, B)) < 0.8
RESET = _rng.random((T, B)) < 0.15
FIRST = _rng.normal(size=(B, HIDDEN))
PARAMS = parameters(MODEL, INPUTS)


def squared(y, target):
    return jnp.sum((y - target) ** 2, axis=-1)


def forwards(xs, mask, reset):
    """The hidden state before and after every step, in NumPy."""
    cell, _ = jax.tree.map(np.asarray, PARAMS)
    h, before, after = FIRST, [], []
    for x, real, fresh in zip(xs, mask[..., None], reset[..., None], strict=True):
        before.append(np.where(fresh, 0, h))
        h = np.tanh(
            x @ cell["kernel"] + before[-1] @ cell["recurrent_kernel"] + cell["bias"]
        )
        h = np.where(real, h, before[-1])
        after.append(h)
    return np.array(before), np.array(after)


def by_definition(every, back, burn_in, mask, reset):
    """Value, last carry, and gradients by parameters and by the carry at the start.

    For t = k1, 2 k1, ...: the loss of the steps t - k1 .. t - 1, back to step t - k2.
    """
    xs = np.where(mask[..., None], XS, 0)
    before, after = forwards(xs, mask, reset)
    elman, dense = jax.tree.map(np.asarray, PARAMS)
    errors = after @ dense["kernel"] + dense["bias"] - TARGETS
    errors *= mask[..., None] & (np.arange(T) >= burn_in)[:, None, None]
    count = mask[burn_in:].sum()
    d_elman, d_dense = jax.tree.map(np.zeros_like, (elman, dense))
    d_first = np.zeros_like(FIRST)
    for t in range(burn_in + every, T + every, every):
        d_h, edge = np.zeros_like(FIRST), max(t - back, burn_in)
        for s in reversed(range(edge, min(t, T))):
            if s >= t - every:
                d_y = 2 * errors[s] / count
                d_dense["kernel"] += after[s].T @ d_y
                d_dense["bias"] += d_y.sum(0)
                d_h = d_h + d_y @ dense["kernel"].T
            real, going_on = mask[s][:, None], ~reset[s][:, None]
            d_sum = np.where(real, d_h * (1 - after[s] ** 2), 0)
            d_elman["kernel"] += xs[s].T @ d_sum
            d_elman["bias"] += d_sum.sum(0)
            d_elman["recurrent_kernel"] += before[s].T @ d_sum
            d_h = np.where(real, d_sum @ elman["recurrent_kernel"].T, d_h) * going_on
        if edge == 0:
            d_first += d_h
    value = np.sum(errors**2) / count
    return (value, (after[-1], ())), ((d_elman, d_dense), (d_first, ()))


@functools.cache
def graded(function, **options):
    """A program: value, last carry, and gradients by parameters and by the carry."""

    def objective(params, carry, xs, targets, flags):
        rest = (params, xs, targets, squared)
        return function(MODEL, *rest, carry=carry, **flags, **options)

    run = jax.jit(jax.value_and_grad(objective, argnums=(0, 1), has_aux=True))
    return lambda xs=XS, targets=TARGETS, **flags: run(
        PARAMS, (FIRST, ()), xs, targets, flags
    )


@pytest.mark.parametrize(
    ("every", "back", "burn_in"),
    [
        pytest.param(1, 1, 0, marks=pytest.mark.slow),
        (1, 4, 0),  # each loss on its own
        pytest.param(3, 3, 0, marks=pytest.mark.slow),
        (2, 5, 0),  # 2 divides neither 5 nor 11
        pytest.param(2, 3, 4, marks=pytest.mark.slow),
        pytest.param(4, 6, 1, marks=pytest.mark.slow),
        pytest.param(5, 30, 2, marks=pytest.mark.slow),  # back beyond the beginning
        (T, T, 0),
    ],
)
def test_is_its_definition(every, back, burn_in):
    program = graded(jr.tbptt_loss, every=every, back=back, burn_in=burn_in)
    got = program(mask=MASK, reset=RESET)
    close(got, by_definition(every, back, burn_in, MASK, RESET))


def test_is_its_definition_without_flags():
    everything, nothing = np.ones((T, B), bool), np.zeros((T, B), bool)
    got = graded(jr.tbptt_loss, every=4, back=6, burn_in=1)()
    close(got, by_definition(4, 6, 1, everything, nothing))


def test_whole_is_full_backpropagation():
    flags = {"mask": MASK, "reset": RESET}
    got = graded(jr.tbptt_loss, every=T, back=T, burn_in=0)(**flags)
    close(got, graded(jr.unroll_loss)(**flags))


def weighted(y, target):
    """A loss of which single steps can be picked."""
    return target["weight"] * squared(y, target["aim"])


@pytest.mark.parametrize(
    ("every", "back", "burn_in"),
    [(2, 5, 0), pytest.param(3, 4, 2, marks=pytest.mark.slow)],
)
def test_gradient_ends_exactly_at_the_edge(every, back, burn_in):
    def of_one_step(xs, weight):
        targets = {"weight": weight, "aim": TARGETS}
        return jr.tbptt_loss(
            MODEL,
            PARAMS,
            xs,
            targets,
            weighted,
            every=every,
            back=back,
            burn_in=burn_in,
        )[0]

    steps = np.arange(T)
    one_hot = jnp.broadcast_to(jnp.eye(T)[..., None], (T, T, B))
    slopes = jax.jit(jax.vmap(jax.grad(of_one_step), (None, 0)))(XS, one_hot)
    reached = np.any(slopes != 0, axis=(2, 3))  # [step of the loss, step of the input]
    upto = burn_in + ((steps - burn_in) // every + 1) * every
    edge = np.maximum(upto - back, burn_in)[:, None]
    expected = (edge <= steps) & (steps <= steps[:, None]) & (steps[:, None] >= burn_in)
    np.testing.assert_array_equal(reached, expected)


def test_padding_changes_no_bit():
    program = graded(jr.tbptt_loss, every=2, back=5, burn_in=0)

    def with_padding(x, target):
        put = lambda a, junk: np.where(MASK[..., None], a, junk)
        return program(put(XS, x), put(TARGETS, target), mask=MASK, reset=RESET)

    expected = with_padding(0.0, 0.0)
    for junk in ((np.nan, 0.0), (1e30, np.nan), (-np.inf, np.inf)):
        same_bits(with_padding(*junk), expected)


def test_nothing_real():
    program = graded(jr.tbptt_loss, every=2, back=5, burn_in=0)
    nothing = np.zeros((T, B), bool)
    (value, last), gradients = program(mask=nothing, reset=nothing)
    assert value == 0
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradients))
    close(last, (FIRST, ()), 0)


def test_value_and_carry_know_nothing_of_truncation():
    cell = jr.Stack(jr.Dropout(0.3), jr.Elman(OUTPUTS), param_dtype="float64")
    params = parameters(cell, INPUTS)
    key, warm, rest = jax.random.key(5), 4, (XS, TARGETS, squared)
    options = {"every": 2, "back": 5, "burn_in": warm, "key": key, "start": 7}
    got = jr.tbptt_loss(cell, params, *rest, **options)
    carry, _ = jr.unroll(cell, params, XS[:warm], key=key, start=7)
    options = {"carry": carry, "key": key, "start": 7 + warm}
    rest = (XS[warm:], TARGETS[warm:], squared)
    close(got, jr.unroll_loss(cell, params, *rest, **options))


def test_a_learned_carry_is_reached_from_the_first_windows_and_after_resets():
    cell = jr.LearnedCarry(jr.Elman(OUTPUTS), param_dtype="float64")
    params = parameters(cell, INPUTS)

    @jax.jit
    def slopes(weight, reset):
        def objective(carry):
            targets = {"weight": weight, "aim": TARGETS}
            rest = (params | {"carry": carry}, XS, targets, weighted)
            return jr.tbptt_loss(cell, *rest, every=2, back=4, reset=reset)[0]

        return jax.grad(objective)(params["carry"])[0]

    late, never = np.zeros((2, T, B))
    late[9] = 1  # in the window of the steps 6 .. 9
    reset = np.zeros((T, B), bool)
    assert not slopes(late, reset).any()
    reset[5] = True
    assert not slopes(late, reset).any()
    reset[6] = True
    assert slopes(late, reset).all()
    early = never.copy()
    early[3] = 1  # in the window of the steps 0 .. 3
    assert slopes(early, np.zeros((T, B), bool)).all()


def test_a_loop_of_windows_is_the_whole():
    window = 3
    steps = T // window * window
    cut = lambda a: a[:steps].reshape(-1, window, *a.shape[1:])
    tbptt = functools.partial(jr.tbptt_loss, MODEL, every=window)
    start = (FIRST, ())

    @jax.jit
    def windows(params):
        def objective(carry, xs, targets, mask, reset):
            flags = {"mask": mask, "reset": reset, "reduction": "sum"}
            total = lambda p: tbptt(p, xs, targets, squared, carry=carry, **flags)
            return jax.value_and_grad(total, has_aux=True)(params)

        def body(carry, inputs):
            (value, carry), gradient = objective(carry, *inputs)
            return carry, (value, gradient)

        inputs = tuple(map(cut, (XS, TARGETS, MASK, RESET)))
        carry, out = jax.lax.scan(body, start, inputs)
        value, gradient = jax.tree.map(lambda a: jnp.sum(a, 0), out)
        return (value, carry), gradient

    @jax.jit
    def whole(params):
        xs, targets, mask, reset = (a[:steps] for a in (XS, TARGETS, MASK, RESET))
        flags = {"mask": mask, "reset": reset, "reduction": "sum"}
        total = lambda p: tbptt(p, xs, targets, squared, carry=start, **flags)
        return jax.value_and_grad(total, has_aux=True)(params)

    close(windows(PARAMS), whole(PARAMS))


def test_the_carry_that_comes_out_stops_gradients():
    @jax.jit
    @jax.grad
    def slopes(params):
        rest = (params, XS, TARGETS, squared)
        return jnp.sum(jr.tbptt_loss(MODEL, *rest, every=4, back=6)[1][0])

    assert not any(np.any(leaf) for leaf in jax.tree.leaves(slopes(PARAMS)))


def test_batch_major_and_reductions():
    turn = lambda a: a.swapaxes(0, 1)
    tbptt = functools.partial(jr.tbptt_loss, MODEL, PARAMS, every=3, burn_in=2)
    each, _ = tbptt(XS, TARGETS, squared, mask=MASK, reduction="none")
    each = np.asarray(each)
    assert each.shape == (T - 2, B) and not each[~MASK[2:]].any()
    turned = (turn(XS), turn(TARGETS), squared)
    for reduction, expected in (("sum", np.sum), ("mean", np.mean)):
        value, _ = tbptt(*turned, mask=MASK.T, time_axis=1, reduction=reduction)
        np.testing.assert_allclose(value, expected(each[MASK[2:]]), 1e-13)


@pytest.mark.parametrize("back", [2, 5])
def test_burn_in_may_take_every_step(back):
    start = (FIRST, ())
    value, last = jr.tbptt_loss(
        MODEL, PARAMS, XS, TARGETS, squared, carry=start, every=2, back=back, burn_in=T
    )
    assert value == 0
    close(last, jr.unroll(MODEL, PARAMS, XS, carry=start)[0])


@pytest.mark.parametrize("back", [2, 5])
def test_no_steps(back):
    start = (FIRST, ())
    rest = (XS[:0], TARGETS[:0], squared)
    value, last = jr.tbptt_loss(MODEL, PARAMS, *rest, carry=start, every=2, back=back)
    assert value == 0
    close(last, start, 0)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"every": 0}, ValueError, "`every` must be at least 1, got 0"),
        ({"every": 2.0}, TypeError, "`every` must be an integer, got 2.0"),
        ({"every": 1, "back": -3}, ValueError, "`back` must be at least 1, got -3"),
        (
            {"every": 3, "back": 2},
            ValueError,
            "`back` must be at least `every` = 3, or losses are lost, got 2",
        ),
        (
            {"every": 3, "burn_in": 12},
            ValueError,
            "`burn_in` must lie in [0, T] = [0, 11], got 12",
        ),
        (
            {"every": 3, "burn_in": -1},
            ValueError,
            "`burn_in` must lie in [0, T] = [0, 11], got -1",
        ),
        (
            {"every": 3, "burn_in": 2.0},
            TypeError,
            "`burn_in` must be an integer, got 2.0",
        ),
        (
            {"every": 3, "targets": TARGETS[:, 0]},
            ValueError,
            "`targets` must start with the axes (T, *batch) = (11, 3) of `xs`, "
            "got shape (11, 5)",
        ),
        (
            {"every": 3, "reduction": "max"},
            ValueError,
            "`reduction` must be one of 'mean', 'sum', 'row mean', 'none', got 'max'",
        ),
        (
            {"every": 3, "cell": jr.Bidirectional(jr.GRU(4))},
            ValueError,
            "truncated backpropagation needs a cell that can step, not "
            "Bidirectional(GRU(4), backward=GRU(4))",
        ),
        (
            {"every": 3, "cell": "LSTM"},
            TypeError,
            "`cell` must be a cell, got 'LSTM'",
        ),
    ],
)
def test_bad_arguments(options, error, message):
    options = {"cell": MODEL, "targets": TARGETS} | options
    cell, targets = options.pop("cell"), options.pop("targets")
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        jr.tbptt_loss(cell, PARAMS, XS, targets, squared, **options)


def test_a_loss_must_give_one_value_a_step():
    with pytest.raises(ValueError, match="`loss` must"):
        jr.tbptt_loss(MODEL, PARAMS, XS, TARGETS, lambda y, t: jnp.mean(y), every=3)
