"""One mask a sequence and row, on what is read, remembered and put out."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from laws.harness import close, same_bits

T, B, N, H = 6, 4, 3, 5
_rng = np.random.default_rng(0)
XS = _rng.normal(size=(T, B, N))
KEY = jax.random.key(1, impl="unsafe_rbg")  # its programs compile in half the time
MASK = _rng.random((T, B)) < 0.7


def dropout(cell, *rates, **named):
    return jr.VariationalDropout(cell, *rates, **named, param_dtype="float64")


def kept(cell, params, name):
    """The mask of a sequence, 0 or 1, drawn as `unroll(key=KEY)` draws it."""
    ready = cell.prepare(params, input_shape=(B, N), key=jr.sequence_key(KEY))
    return np.asarray(ready["kept"][name], float)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def test_inputs_and_outputs_are_masked_alike_at_all_steps():
    cell = dropout(jr.Elman(H), inputs=0.3, outputs=0.6)
    params = parameters(cell, N)
    carry, ys = jr.unroll(cell, params, XS, key=KEY, mask=MASK)
    m_x, m_y = (kept(cell, params, name) for name in ("inputs", "outputs"))
    assert (m_x.shape, m_y.shape) == ((B, N), (B, H))
    inner = jr.unroll(cell.cell, params["cell"], XS * m_x / 0.7, mask=MASK)
    close((carry, ys), (inner[0], inner[1] * m_y / 0.4))


def test_the_state_of_an_lstm_is_masked_where_its_product_reads_it():
    cell = dropout(jr.LSTM(H), state=0.4)
    params = parameters(cell, N)
    m = kept(cell, params, "state") / 0.6
    W, U, b = (
        np.asarray(params["cell"][n]) for n in ("kernel", "recurrent_kernel", "bias")
    )
    h, c, ys = np.zeros((B, H)), np.zeros((B, H)), []
    for x in XS:
        i, f, o, g = np.split(x @ W + (h * m) @ U + b, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        ys.append(h)
    carry, outputs = jr.unroll(cell, params, XS, key=KEY)
    close((carry, outputs), (jr.LSTMCarry(h, c), np.stack(ys)))


@pytest.mark.parametrize(
    "reset", ["before", pytest.param("after", marks=pytest.mark.slow)]
)
def test_the_state_of_a_gru_is_left_alone_beside_its_products(reset):
    cell = dropout(jr.GRU(H, reset=reset), state=0.4)
    params = parameters(cell, N)
    m = kept(cell, params, "state") / 0.6
    own = jax.tree.map(np.asarray, params["cell"])
    U, U_n = np.split(own["recurrent_kernel"], [2 * H], axis=-1)
    h, ys = np.zeros((B, H)), []
    for x in XS:
        sums, n = np.split(x @ own["kernel"] + own["bias"], [2 * H], axis=-1)
        z, r = np.split(sigmoid(sums + (h * m) @ U), 2, axis=-1)
        if reset == "before":
            n = np.tanh(n + (r * h * m) @ U_n)
        else:
            n = np.tanh(n + r * ((h * m) @ U_n + own["recurrent_bias"]))
        h = z * h + (1 - z) * n
        ys.append(h)
    close(jr.unroll(cell, params, XS, key=KEY), (h, np.stack(ys)))


def test_of_a_stack_the_state_of_the_last_layer_is_masked():
    stack = dropout(jr.Stack(jr.Elman(H), jr.Elman(4)), state=0.5)
    apart = jr.Stack(jr.Elman(H), dropout(jr.Elman(4), state=0.5))
    first, last = parameters(stack, N)["cell"]
    m = kept(stack, {"cell": (first, last)}, "state")
    assert m.shape == (B, 4)
    ready = apart.prepare((first, {"cell": last}))
    ready[1]["kept"] = {"state": jnp.asarray(m > 0)}
    carry, ys = apart.initial_carry(ready, (B,)), []
    for x in XS:
        carry, y = apart.step(ready, carry, x)
        ys.append(y)
    params = {"cell": (first, last)}
    close(jr.unroll(stack, params, XS, key=KEY), (carry, np.stack(ys)))


@pytest.mark.slow
def test_gradients_do_not_pass_what_is_dropped():
    cell = dropout(jr.Elman(H), inputs=0.5, outputs=0.5)
    params = parameters(cell, N)
    total = lambda xs: jr.unroll(cell, params, xs, key=KEY)[1].sum()
    m = kept(cell, params, "inputs")
    assert 0 < m.sum() < m.size
    np.testing.assert_array_equal(
        np.asarray(jax.grad(total)(XS)) != 0, np.broadcast_to(m > 0, XS.shape)
    )


def test_rates_of_zero_and_evaluation_are_the_cell_inside():
    inner = jr.Stack(jr.Dropout(0.5), jr.LSTM(H), param_dtype="float64")
    cell = dropout(inner)
    params = parameters(cell, N)
    plain = jr.unroll(inner, params["cell"], XS, key=KEY)
    same_bits(jr.unroll(cell, params, XS, key=KEY), plain)
    cell = dropout(inner, 0.5, 0.5, 0.5)
    same_bits(jr.unroll(cell, params, XS), jr.unroll(inner, params["cell"], XS))


def test_a_rate_of_one_reads_and_puts_out_nothing():
    cell = dropout(jr.Elman(H), 1, 1, 1)
    params = parameters(cell, N)

    @jax.jit
    @jax.grad
    def slopes(params):
        carry, ys = jr.unroll(cell, params, XS, key=KEY)
        return carry.sum() + ys.sum()

    carry, ys = jr.unroll(cell, params, XS, key=KEY)
    close(carry, np.tile(np.tanh(params["cell"]["bias"]), (B, 1)))
    assert not np.any(ys)
    moved = {name: np.unique(a != 0) for name, a in slopes(params)["cell"].items()}
    assert moved == {"kernel": [False], "recurrent_kernel": [False], "bias": [True]}


def test_masks_are_drawn_for_each_row_with_the_rate():
    rows, size, rate = 400, 500, 0.3
    cell = dropout(jr.Map("identity"), inputs=rate)
    ones = np.ones((2, rows, size))
    ys = np.asarray(jr.unroll(cell, {"cell": {}}, ones, key=KEY)[1])
    np.testing.assert_array_equal(ys[0], ys[1])
    dropped = ys[0] == 0
    np.testing.assert_allclose(ys[0][~dropped], 1 / (1 - rate))
    deviation = lambda n: 5 * np.sqrt(rate * (1 - rate) / n)
    assert abs(dropped.mean() - rate) < deviation(dropped.size)
    assert np.all(abs(dropped.mean(axis=0) - rate) < deviation(rows))
    assert np.all(abs(dropped.mean(axis=1) - rate) < deviation(size))


@pytest.mark.slow
def test_around_both_directions():
    inner = jr.Bidirectional(jr.Elman(H), jr.Elman(4), param_dtype="float64")
    cell = dropout(inner, inputs=0.3, outputs=0.6)
    params = parameters(cell, N)
    m_x, m_y = (kept(cell, params, name) for name in ("inputs", "outputs"))
    carry, ys = jr.unroll(inner, params["cell"], XS * m_x / 0.7)
    close(jr.unroll(cell, params, XS, key=KEY), (carry, ys * m_y / 0.4))


class Unread(jr.Cell):
    """A state that no product reads."""

    hidden_size: int

    def init(self, key, input_size=None):
        return {"scale": jnp.ones(self.hidden_size)}

    def recur(self, ready, carry, z):
        return carry * ready["scale"], carry


BOTH = jr.Bidirectional(jr.Elman(H))
ERRORS = {
    "rate_above_one": (
        lambda: jr.VariationalDropout(jr.Elman(H), state=1.5),
        ValueError("`state` must lie in [0, 1], got 1.5"),
    ),
    "rate_of_nan": (
        lambda: jr.VariationalDropout(jr.Elman(H), inputs=float("nan")),
        ValueError("`inputs` must lie in [0, 1], got nan"),
    ),
    "the_state_of_both_directions": (
        lambda: jr.VariationalDropout(BOTH, state=0.5),
        ValueError(
            f"`VariationalDropout` needs a cell that can step, got {BOTH}: put it "
            "inside, around the cells that can"
        ),
    ),
    "the_state_of_no_memory": (
        lambda: jr.VariationalDropout(jr.Dense(H), state=0.5),
        ValueError("`VariationalDropout` needs a cell with a memory, got Dense(5)"),
    ),
    "no_shape": (
        lambda: dropout(jr.Elman(H), 0.5).prepare({"cell": {}}, key=KEY),
        ValueError(
            "`VariationalDropout` draws a mask for every row of one array: `prepare` "
            "needs the `input_shape` of a step"
        ),
    ),
    "token_ids": (
        lambda: jr.unroll(
            dropout(jr.OneHot(H), inputs=0.5),
            {"cell": {}},
            np.zeros((T, B), int),
            key=KEY,
        ),
        TypeError("`inputs` dropout needs floating numbers, got int64"),
    ),
    "a_state_that_no_product_reads": (
        lambda: jr.unroll(
            jr.VariationalDropout(Unread(N), state=0.5),
            {"cell": {"scale": jnp.ones(N)}},
            XS,
            key=KEY,
        ),
        ValueError(
            "cell of VariationalDropout, Unread(3): no product with the weights of "
            "Unread(3) reads its state"
        ),
    ),
}


@pytest.mark.parametrize("call, error", ERRORS.values(), ids=ERRORS.keys())
def test_errors(call, error):
    with pytest.raises(type(error), match=f"^{re.escape(str(error))}"):
        call()
