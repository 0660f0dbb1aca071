"""Omega is Pascanu's equation 9, and its gradient equation 10, or all of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from jaxrnn.gradflow.omega import omega
from jaxrnn.unroll.masks import select
from laws.harness import close

T, B, N, H = 6, 5, 3, 4
_rng = np.random.default_rng(0)
XS, AIM = _rng.normal(size=(T, B, N)), _rng.normal(size=(T, B, H))
LENGTHS = np.array([6, 2, 0, 1, 5])
REAL = np.arange(T)[:, None] < LENGTHS
HOLES, RESET = (_rng.random((T, B)) < rate for rate in (0.7, 0.3))


def loss(ys):
    return jnp.sum(AIM * ys + jnp.sin(ys))


def slopes_of(cell, xs=XS, loss=loss, **options):
    """Omega and its gradient, in one program."""
    value = lambda params: omega(cell, params, xs, loss, **options)
    return jax.jit(jax.value_and_grad(value))


def differences(function, params, step=1e-6):
    """Central differences by every entry of every parameter."""
    slopes = {name: np.zeros(leaf.shape) for name, leaf in params.items()}
    for name, leaf in params.items():
        for at in np.ndindex(leaf.shape):
            moved = leaf.copy()
            sides = []
            for sign in (1, -1):
                moved[at] = leaf[at] + sign * step
                sides.append(function(params | {name: moved}))
            slopes[name][at] = (sides[0] - sides[1]) / (2 * step)
    return slopes


# The vanilla network by hand: what is before each step, and the error after it.


def by_hand(params, real=REAL):
    """h_{t-1}, h_t and dL/dh_t of every step, zero where there is none."""
    W, U, b = (params[name] for name in ("kernel", "recurrent_kernel", "bias"))
    before, after = np.zeros((2, T, B, H))
    h = np.zeros((B, H))
    for t in range(T):
        before[t] = h
        new = np.tanh(XS[t] @ W + h @ U + b)
        after[t] = h = np.where(real[t, :, None], new, h)
    errors, error = np.zeros((T, B, H)), np.zeros((B, H))
    for t in reversed(range(T)):
        there = real[t, :, None]
        own = AIM[t] + np.cos(after[t])
        errors[t] = np.where(there, error + own, 0)
        back = ((error + own) * (1 - after[t] ** 2)) @ U.T
        error = np.where(there, back, error)
    return before, errors


def equation_9(params, before, errors, real=REAL):
    W, U, b = (params[name] for name in ("kernel", "recurrent_kernel", "bias"))
    slope = 1 - np.tanh(XS @ W + before @ U + b) ** 2
    sent = np.linalg.norm((errors * slope) @ U.T, axis=-1)
    size = np.where(real, np.linalg.norm(errors, axis=-1), 1)
    return np.sum(np.where(real, sent / size - 1, 0) ** 2) / B


CELL = jr.Elman(H, param_dtype="float64")
PARAMS = {name: np.asarray(leaf) for name, leaf in parameters(CELL, N).items()}


def test_the_immediate_gradient_is_the_differences_with_errors_and_states_held_fixed():
    before, errors = by_hand(PARAMS)
    held = lambda params: equation_9(params, before, errors)
    value, slopes = slopes_of(CELL, lengths=LENGTHS)(PARAMS)
    np.testing.assert_allclose(value, held(PARAMS), rtol=1e-12)
    close(slopes, differences(held, PARAMS), 1e-8)


def test_the_full_gradient_is_the_differences_of_omega():
    moving = lambda params: equation_9(params, *by_hand(params))
    slopes = slopes_of(CELL, lengths=LENGTHS, gradient="full")(PARAMS)[1]
    close(slopes, differences(moving, PARAMS), 1e-8)


def test_the_immediate_gradient_is_the_papers_where_the_state_is():
    """Equation 10: of W_rec alone, for x_t = W_rec f(x_{t-1}) + W_in u_t + b."""
    cell = jr.PreactivationElman(H, param_dtype="float64")
    U = PARAMS["recurrent_kernel"]
    slopes = slopes_of(cell)(PARAMS)[1]
    _, _, before = jr.unroll(cell, PARAMS, XS, collect=lambda c: c)
    before = np.concatenate([np.zeros((1, B, H)), before[:-1]])
    slope, error, expected = 1 - np.tanh(before) ** 2, np.zeros((B, H)), 0
    after = XS @ PARAMS["kernel"] + np.tanh(before) @ U + PARAMS["bias"]
    for t in reversed(range(T)):
        own = (AIM[t] + np.cos(np.tanh(after[t]))) * (1 - np.tanh(after[t]) ** 2)
        size = np.linalg.norm(error := error + own, axis=-1)
        sent = (error @ U.T) * slope[t]
        far = np.linalg.norm(sent, axis=-1)
        weight = 2 * (far / size - 1) / (far * size) / B
        expected += np.einsum("b,bi,bj->ij", weight, sent * slope[t], error)
        error = sent
    np.testing.assert_allclose(slopes["recurrent_kernel"], expected, rtol=1e-9)
    assert not slopes["kernel"].any() and not slopes["bias"].any()


# Any cell whose output is its hidden state, step by step.

FEW = 3  # the loop takes a gradient at every step, through all that come after


def loop(cell, params, fixed, of):
    """Omega by one gradient for each step, of the loss as a function of its state."""
    ready, mask, reset = cell.prepare(params), HOLES, RESET
    start = cell.initial_carry(ready, (B,))

    def step(carry, t):
        following, _ = cell.step(ready, carry, XS[t])
        return select(mask[t], following, carry)

    def ahead(carry, t):
        """The loss from step t on, `carry` being the state after step t."""
        total = 0.0
        for s in range(t, FEW):
            if s > t:
                carry = step(select(reset[s], start, carry), s)
            y = jnp.where(mask[s][:, None], cell.hidden(carry), 0)
            total += jnp.sum(AIM[s] * y + jnp.sin(y))
        return total

    picked = jax.tree.map(jnp.ones_like, start)
    if of is not None:
        ones = jnp.ones_like(of(start))
        picked = cell.with_hidden(jax.tree.map(jnp.zeros_like, start), ones)
    part = lambda tree: jax.tree.map(jnp.multiply, tree, picked)
    squares = lambda tree: [jnp.sum(a**2, axis=-1) for a in jax.tree.leaves(tree)]
    norm = lambda tree: sum(squares(tree)) ** 0.5
    terms, carry = 0.0, start
    for t in range(FEW):
        before = fixed(select(reset[t], start, carry))
        carry = step(select(reset[t], start, carry), t)
        error = part(fixed(jax.grad(ahead)(carry, t)))
        error = select(mask[t], error, jax.tree.map(jnp.ones_like, error))
        back = jax.vjp(lambda c, t=t: cell.step(ready, c, XS[t])[0], before)[1]
        ratio = norm(part(back(error)[0])) / norm(error)
        terms += jnp.sum(jnp.where(mask[t], (ratio - 1) ** 2, 0))
    return terms / B


LSTM = jr.LSTM(H, param_dtype="float64")
STACK = jr.Stack(jr.GRU(2), LSTM, param_dtype="float64")


@pytest.mark.parametrize(
    ("cell", "part", "gradient"),
    [
        pytest.param(LSTM, False, "immediate", id="lstm-immediate"),
        *(
            pytest.param(cell, part, gradient, id=name, marks=pytest.mark.slow)
            for cell, part, gradient, name in [
                (LSTM, False, "full", "lstm-full"),
                (LSTM, True, "full", "hidden_of_lstm-full"),
                (LSTM, True, "immediate", "hidden_of_lstm-immediate"),
                (STACK, False, "immediate", "stack-immediate"),
                (STACK, False, "full", "stack-full"),
            ]
        ),
    ],
)
def test_any_cell_with_masks_and_resets(cell, part, gradient):
    params = parameters(cell, N)
    fixed = jax.lax.stop_gradient if gradient == "immediate" else lambda tree: tree
    of = cell.hidden if part else None
    slow = lambda params: loop(cell, params, fixed, of)
    expected = jax.jit(jax.value_and_grad(slow))(params)
    early = lambda ys: jnp.sum(AIM[:FEW] * ys + jnp.sin(ys))
    flags = {"mask": HOLES[:FEW], "reset": RESET[:FEW]}
    got = slopes_of(cell, XS[:FEW], early, gradient=gradient, of=of, **flags)(params)
    close(got, expected, 1e-10)


def test_an_output_layer_says_where_the_errors_come_from():
    model = jr.Stack(CELL, jr.Dense(H), param_dtype="float64")
    readout = parameters(jr.Dense(H, param_dtype="float64"), H, seed=1)
    apart = lambda ys: loss(ys @ readout["kernel"] + readout["bias"])
    expected, slopes = slopes_of(CELL, loss=apart)(PARAMS)
    got = slopes_of(model)((PARAMS, readout))
    close(got, (expected, (slopes, jax.tree.map(jnp.zeros_like, readout))))


# Corners.


@pytest.mark.slow
def test_where_no_error_comes_to_nothing_is_added():
    early = lambda ys: jnp.sum(ys[2] ** 2)
    expected = slopes_of(CELL, XS[:3], early)(PARAMS)
    close(slopes_of(CELL, XS, early)(PARAMS), expected)
    value, slopes = slopes_of(CELL, loss=lambda ys: 0.0, gradient="full")(PARAMS)
    assert value == 0 and not any(np.any(leaf) for leaf in slopes.values())


def test_an_error_that_dies_within_a_step_adds_one():
    cell = CELL.replace(activation="relu")
    dead = PARAMS | {"bias": np.full(H, -1e3)}
    value, slopes = slopes_of(cell, gradient="full")(dead)
    assert value == T
    assert not any(np.any(leaf) for leaf in slopes.values())


def test_one_step_without_a_batch():
    value, _ = slopes_of(CELL, XS[:1, 0], jnp.sum)(PARAMS)
    h = np.tanh(XS[0, 0] @ PARAMS["kernel"] + PARAMS["bias"])
    sent = (1 - h**2) @ PARAMS["recurrent_kernel"].T
    expected = (np.linalg.norm(sent) / np.sqrt(H) - 1) ** 2
    np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_padding_may_hold_anything():
    clean = slopes_of(CELL, lengths=LENGTHS)(PARAMS)
    xs = np.where(REAL[..., None], XS, np.nan)
    close(slopes_of(CELL, xs, lengths=LENGTHS)(PARAMS), clean)


@pytest.mark.slow
def test_time_may_come_second():
    swapped = lambda ys: loss(jnp.swapaxes(ys, 0, 1))
    options = {"lengths": LENGTHS, "time_axis": 1}
    got = omega(CELL, PARAMS, XS.swapaxes(0, 1), swapped, **options)
    close(got, omega(CELL, PARAMS, XS, loss, lengths=LENGTHS))


@pytest.mark.slow
def test_errors_may_be_tiny():
    cell = jr.Elman(H)
    params = jax.tree.map(lambda a: a.astype(np.float32), PARAMS)
    xs = XS.astype(np.float32)
    tiny = lambda ys: jnp.sum(ys) * jnp.float32(1e-30)
    values = [omega(cell, params, xs, f) for f in (tiny, jnp.sum)]
    np.testing.assert_allclose(*values, rtol=1e-4)


@pytest.mark.slow
def test_what_is_no_number_stays_none():
    assert np.isnan(omega(CELL, PARAMS, XS, lambda ys: jnp.sum(ys) * np.nan))


@pytest.mark.parametrize(
    ("cell", "loss", "options", "message"),
    [
        (jr.Bidirectional(CELL), jnp.sum, {}, "`cell` must be one that can step"),
        (jr.Dense(H), jnp.sum, {}, "`cell` must have a carry of floating numbers"),
        (CELL, lambda ys: ys, {}, r"`loss` must give a scalar, got shape \(6, 5, 4\)"),
        (CELL, jnp.sum, {"gradient": "half"}, "`gradient` must be one of"),
    ],
    ids=["both_directions", "no_memory", "no_scalar", "another_gradient"],
)
def test_errors_say_what_is_wrong(cell, loss, options, message):
    with pytest.raises(ValueError, match=message):
        omega(cell, parameters(cell, N), XS, loss, **options)
