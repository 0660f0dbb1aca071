"""Inputs that are known before the loop are projected before it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

import jaxrnn as jr
from drawn import parameters
from jaxrnn.attention.feeding import added, divided
from laws.harness import close
from laws.rows import ROWS

N, M, H, T, B, S = 3, 11, 5, 7, 2, 4
CLAIMING = [
    row for row in ROWS if row.cell.input_kernel is not None and row.context is None
]

USUAL = ("lstm", "gru_after", "elman", "zoneout")


@pytest.mark.parametrize(
    "row",
    [
        row if row.name in USUAL else pytest.param(row, marks=pytest.mark.laws)
        for row in CLAIMING
    ],
    ids=str,
)
def test_a_cell_reads_its_input_by_the_matrix_it_names(row):
    """Under a key too: the parts of an input add up to the whole."""
    cell, size = row.cell.replace(param_dtype="float64"), row.input_size
    rng, key = np.random.default_rng(0), jax.random.key(0)
    xs = rng.normal(size=(B, size))
    for key in (None, jax.random.key(0)):
        ready = cell.prepare(parameters(cell, size), input_shape=(B, size), key=key)
        known, kernel = divided(cell, ready, 1)
        z = cell.project(known, xs[:, :-1], key=key)
        close(added(z, xs[:, -1:], kernel), cell.project(ready, xs, key=key))


def test_cells_that_normalise_their_input_name_none():
    for cell in (jr.LSTM(4, layer_norm=True), jr.GRU(4, layer_norm=True), jr.Dense(4)):
        assert cell.input_kernel is None
    assert jr.Stack(jr.Dropout(0.5), jr.GRU(4)).input_kernel is None
    assert jr.Residual(jr.GRU(4)).input_kernel is None


AFFINE = {
    "lstm": jr.LSTM(H),
    "lstm_all": jr.LSTM(H, peepholes=True, coupled=True, projection_size=6),
    "gru": jr.GRU(H),
    "gru_after": jr.GRU(H, reset="after"),
    "elman": jr.Elman(H),
    "stack": jr.Stack(jr.Stack(jr.GRU(H), jr.Dropout(0.5)), jr.LSTM(6)),
    "wrapped": jr.Zoneout(jr.WeightDrop(jr.LSTM(H), 0.5), 0.1),
    "dropped": jr.VariationalDropout(jr.GRU(H), state=0.5),
}
LOOKS = {"before": {}, "after": {"look": "after", "size": M}}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
@pytest.mark.parametrize("cell", AFFINE.values(), ids=AFFINE.keys())
def test_inside_the_loop_only_what_is_fed_back_meets_the_kernel(cell, look):
    assert M in rows_in_loop(cell, look)
    assert N + M not in rows_in_loop(cell, look)


def test_a_cell_that_names_no_matrix_is_projected_in_the_loop():
    for cell in (jr.LSTM(H, layer_norm=True), jr.Stack(jr.Dropout(0.5), jr.GRU(H))):
        assert N + M in rows_in_loop(cell, {})


def test_who_projects_in_another_way_claims_nothing():
    class Squared(jr.GRU):
        def project(self, ready, x, *, key=None):
            return super().project(ready, x * x, key=key)

    class Plain(jr.GRU):
        pass

    assert Squared(H).input_kernel is None and Plain(H).input_kernel == ("kernel",)
    assert N + M in rows_in_loop(Squared(H), {})


def test_the_memory_is_projected_before_the_loop():
    score = jr.attention.Additive(9)
    kernels = rows_in_loop(
        jr.GRU(H), {"attention": score, "memory_size": 13}, whole=True
    )
    assert (13, 9) not in kernels
    assert (H, 9) in kernels


def rows_in_loop(cell, options, *, whole=False):
    """The rows of the matrices that products inside the loop meet."""
    attend = jr.Attend(cell, **{"memory_size": M} | options)
    params = parameters(attend, N)
    memory = {"memory": jnp.ones((B, S, attend.memory_size), jnp.float32)}
    xs = jnp.ones((T, B, N), jnp.float32)
    run = lambda params: jr.unroll(attend, params, xs, context=memory)
    loops = [e for e in equations(jax.make_jaxpr(run)(params).jaxpr) if is_loop(e)]
    inside = [e for loop in loops for e in equations(loop.params["jaxpr"].jaxpr)]
    shapes = [v.aval.shape for e in products(inside) for v in e.invars]
    return set(shapes) if whole else {s[0] for s in shapes if len(s) == 2}


def equations(jaxpr):
    for equation in jaxpr.eqns:
        yield equation
        for inner in jaxprs_in_params(equation.params):
            yield from equations(inner)


def is_loop(equation):
    return equation.primitive.name == "scan"


def products(found):
    return [e for e in found if e.primitive.name == "dot_general"]
