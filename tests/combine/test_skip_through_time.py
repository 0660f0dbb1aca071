"""The state of k steps before is added to that of the last one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from laws.harness import close

T, B, N, H = 7, 3, 2, 5
_rng = np.random.default_rng(0)
XS = _rng.normal(size=(T, B, N))
MASK = _rng.random((T, B)) < 0.7


@pytest.mark.parametrize("k", [1, 3, 10])
def test_is_its_equation(k):
    cell = jr.SkipThroughTime(jr.Elman(H), k, param_dtype="float64")
    params = parameters(cell, N)
    W, U, b = (params["cell"][n] for n in ("kernel", "recurrent_kernel", "bias"))
    ys = np.zeros((T, B, H))
    for row in range(B):
        states = [np.zeros(H)] * k  # h_{t-k} .. h_{t-1}
        for t in np.flatnonzero(MASK[:, row]):
            read = states[-1] + states[-k] @ params["skip_kernel"]
            states.append(np.tanh(XS[t, row] @ W + read @ U + b))
            ys[t, row] = states[-1]
    carry, outputs = jr.unroll(cell, params, XS, mask=MASK)
    close(outputs, ys)
    assert carry.past.shape == (B, k - 1, H)


def test_of_an_lstm_the_cell_state_is_left_alone():
    cell = jr.SkipThroughTime(jr.LSTM(H), 2, param_dtype="float64")
    params = parameters(cell, N)
    carry = jr.SkipCarry(
        jr.LSTMCarry(*_rng.normal(size=(2, B, H))), _rng.normal(size=(B, 1, H))
    )
    h = carry.cell.hidden + carry.past[:, -1] @ params["skip_kernel"]
    inner = carry.cell._replace(hidden=h)
    expected, y = cell.cell.step(params["cell"], inner, XS[0])
    following, got = cell.step(cell.prepare(params), carry, XS[0])
    close((following.cell, got), (expected, y))
    close(following.past[:, 0], carry.cell.hidden)


def test_gradients_go_back_in_leaps():
    """Through 12 steps of gain 0.1 they shrink as through 12 / k."""

    def slope(k):
        cell = jr.SkipThroughTime(jr.Elman(1, activation="identity"), k)
        params = {
            "cell": {
                "kernel": jnp.zeros((1, 1)),
                "recurrent_kernel": jnp.full((1, 1), 0.1),
                "bias": jnp.zeros(1),
            },
            "skip_kernel": jnp.ones((1, 1)),
        }

        def last(start):
            carry = jr.SkipCarry(start, jnp.zeros((k - 1, 1)))
            return jr.unroll(cell, params, np.zeros((12, 1)), carry)[1][-1, 0]

        return float(jax.grad(last)(jnp.zeros(1))[0])

    for k in (2, 3, 4, 6):
        leaps = np.log10(slope(k))
        assert -12 / k < leaps < -12 / k + 1  # beside the leaps there are other ways
    assert slope(13) == pytest.approx(1e-12)


@pytest.mark.slow
def test_it_begins_with_an_orthogonal_matrix():
    cell = jr.SkipThroughTime(jr.LSTM(H), 2)
    params = jax.jit(cell.init, static_argnums=1)(jax.random.key(0), N)
    K = np.asarray(params["skip_kernel"], "float64")
    np.testing.assert_allclose(K.T @ K, np.eye(H), atol=1e-6)
