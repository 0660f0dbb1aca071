"""Gates are found in the equations of any cell, and counted at real steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from jaxrnn.gradflow import measure
from jaxrnn.gradflow.factors import factors
from jaxrnn.gradflow.gates import _names
from jaxrnn.unroll.taken_apart import dissolved

T, B, N, H = 6, 4, 3, 5
_rng = np.random.default_rng(0)
XS = jnp.asarray(_rng.normal(size=(T, B, N)))
LENGTHS = np.array([6, 2, 0, 5])
MASK = np.arange(T)[:, None] < LENGTHS


class Squeezed(jr.Cell):
    """A gate written as (1 + tanh a) / 2, and a factor that is none."""

    hidden_size: int

    def init(self, key, input_size=None):
        return {
            "kernel": jnp.ones((input_size, self.hidden_size)),
            "rate": jnp.ones(()),
        }

    def recur(self, ready, carry, x):
        a = x @ ready["kernel"]
        g = (1 + jnp.tanh(a + carry)) / 2
        h = g * carry + (1 - g) * jnp.tanh(a) * jax.nn.sigmoid(ready["rate"])
        return h, h


def count(cell):
    """The gates of a step."""
    params = jax.eval_shape(lambda key: cell.init(key, N), jax.random.key(0))
    carry = jax.eval_shape(lambda p: cell.initial_carry(p, (2,)), params)
    step = dissolved(lambda p, c, x: cell.recur(p, c, cell.project(p, x)))
    closed = jax.make_jaxpr(step)(params, carry, jnp.ones((2, N)))
    return len(factors(closed, len(jax.tree.leaves(params))))


@pytest.mark.parametrize(
    ("cell", "gates"),
    [
        (jr.LSTM(H), 3),
        (jr.LSTM(H, coupled=True), 2),
        (jr.LSTM(H, peepholes=True, layer_norm=True), 3),
        (jr.LSTM(H, activation="soft_sign"), 3),
        (jr.GRU(H), 2),
        (jr.GRU(H, reset="after", update="replace"), 2),
        (jr.MGU(H), 1),
        (jr.MUT1(H), 2),
        (jr.MUT3(H), 2),
        (jr.MinGRU(H), 1),
        (jr.Elman(H), 0),
        (jr.DiagonalLinear(H), 0),
        (Squeezed(H), 1),
        (jr.Wrapper(jr.GRU(H)), 2),
        (jr.MatrixLSTM(2, 3), 1),
        (jr.RGLRU(H), 1),
    ],
    ids=repr,
)
def test_how_many(cell, gates):
    assert count(cell) == gates


def test_an_exponential_that_is_cut_off_is_none():
    step = lambda c, x: c * jnp.exp(jnp.minimum(x, 0)) * jnp.tanh(x)
    assert factors(jax.make_jaxpr(step)(1.0, 2.0), 0) == []
    written_out = lambda c, x: c / (1 + jnp.exp(-x)) * (1 / (1 + jnp.exp(-x)))
    assert len(factors(jax.make_jaxpr(written_out)(1.0, 2.0), 0)) == 1


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        (jr.LSTM(H), ["input", "forget", "output"]),
        (jr.LSTM(H, coupled=True), ["forget", "output"]),
        (jr.GRU(H, reset="after"), ["update", "reset"]),
        (jr.Zoneout(jr.GRU(H), 0.3), ["update", "reset"]),
        (jr.MGU(H), ["forget"]),
        (jr.MUT3(H), ["gate 1", "gate 2"]),
        (jr.LSTM(H, activation="sigmoid"), [f"gate {n}" for n in range(1, 6)]),
    ],
    ids=repr,
)
def test_names(cell, names):
    assert _names(cell, count(cell)) == names


def test_shares_of_an_lstm():
    cell = jr.LSTM(H, param_dtype="float64")
    params = parameters(cell, N)
    start = cell.initial_carry(params, (B,))
    expected = {name: [] for name in ("input", "forget", "output")}
    carry, kept = start, lambda a: np.asarray(a)
    s = lambda a: 1 / (1 + np.exp(-a))
    for t in range(T):
        sums = XS[t] @ params["kernel"] + params["bias"]
        sums += carry.hidden @ params["recurrent_kernel"]
        gates = np.split(kept(sums), 4, axis=-1)[:3]
        for values, gate in zip(expected.values(), gates, strict=True):
            values.append(s(gate)[MASK[t]])
        carry, _ = cell.step(params, carry, XS[t])  # past the end nobody looks
    flow = measure(
        cell,
        params,
        XS,
        jnp.sum,
        lengths=LENGTHS,
        rows=0,
        distances=1,
        thresholds=(0.3, 0.6),
    )
    (layer,) = flow.layers.values()
    assert list(layer.gates) == list(expected)
    for name, gate in layer.gates.items():
        values = np.concatenate(expected[name])
        assert float(gate.closed) == pytest.approx((values < 0.3).mean())
        assert float(gate.open) == pytest.approx((values > 0.6).mean())
