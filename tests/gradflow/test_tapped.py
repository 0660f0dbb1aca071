"""A tap of zero changes nothing, and its derivative is that of the state."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from jaxrnn.gradflow.tapped import Tapped, moving
from jaxrnn.unroll.arrange import arrange
from jaxrnn.unroll.run import Run
from laws.harness import close
from laws.user_cell import Counting

T, B, N, H = 5, 3, 2, 4
_rng = np.random.default_rng(0)
XS = _rng.normal(size=(T, B, N))
FLAGS = {name: _rng.random((T, B)) < 0.6 for name in ("mask", "reset")}
KEY = jax.random.key(0)

CELLS = {
    "lstm": jr.LSTM(H, param_dtype="float64"),
    "peepholes": jr.LSTM(H, peepholes=True, param_dtype="float64"),
    "preactivation": jr.PreactivationElman(H, param_dtype="float64"),
    "complex": jr.LRU(H, 3, param_dtype="float64"),
    "counting": Counting(N),
    "stack": jr.Stack(
        jr.Dropout(0.4),
        jr.Zoneout(jr.GRU(3), 0.3),
        jr.SkipThroughTime(jr.LSTM(H), k=3),
        jr.Dense(5),
        param_dtype="float64",
    ),
}


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(
            cell,
            id=name,
            marks=[pytest.mark.slow] * (name in ("stack", "peepholes", "complex")),
        )
        for name, cell in CELLS.items()
    ],
)
def test_taps_of_zero_change_nothing(cell):
    params = parameters(cell, N)
    sequence = arrange(cell, XS, **FLAGS)

    @jax.jit
    def tapped(params):
        run = Run(sequence.batch_shape).with_arrays(sequence.arrays, KEY, 0)
        ready = cell.prepare(params, key=jr.sequence_key(KEY))
        carry = cell.initial_carry(ready, (B,))
        taps = [jnp.zeros((T, *leaf.shape), leaf.dtype) for leaf in moving(carry)]
        last, (ys, _) = run(Tapped(cell), ready, carry, (sequence.arrays.xs, taps))
        return last, ys

    close(tapped(params), jr.unroll(cell, params, XS, key=KEY, **FLAGS))


def test_the_output_moves_with_the_state_that_it_is_computed_from():
    """d y / d tap at one step, of cells whose output is f(c), o * f(c) and h."""

    def slopes(cell):
        params = parameters(cell, N)
        carry = cell.initial_carry(params, (B,))
        z = cell.project(params, XS[0])
        output = lambda taps: Tapped(cell).recur(params, carry, (z, taps))[1][0].sum()
        after, _ = cell.recur(params, carry, z)
        taps = list(map(jnp.zeros_like, moving(carry)))
        return after, jax.grad(output)(taps)

    after, (slope,) = slopes(CELLS["preactivation"])
    close(slope, 1 - jnp.tanh(after) ** 2)
    after, (of_hidden, of_cell) = slopes(CELLS["lstm"])
    close((of_hidden, of_cell), (jnp.ones((B, H)), jnp.zeros((B, H))))
