"""Each variant of the LSTM is another LSTM in disguise, and so is any combination."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from jaxrnn.unroll.taken_apart import dissolved
from laws.case import draw_case, loop
from laws.harness import close
from laws.rows import Row, memory

T, B, N, H, R = 6, 4, 3, 5, 2
_rng = np.random.default_rng(0)
XS = _rng.normal(size=(T, B, N))
FLAGS = {"mask": _rng.random((T, B)) < 0.7, "reset": _rng.random((T, B)) < 0.3}
KEY = jax.random.key(0, impl="unsafe_rbg")  # its programs compile in half the time
ALL = {
    "peepholes": True,
    "coupled": True,
    "projection_size": R,
    "layer_norm": True,
    "activation": "soft_sign",
}
LSTM = functools.partial(jr.LSTM, H, param_dtype="float64")


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def blocks(params, name, count):
    return np.split(np.asarray(params[name]), count, axis=-1)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"peepholes": True},
        {"peepholes": True, "projection_size": R, "activation": "soft_sign"},
    ],
    ids=["bare", "peepholes", "peepholes_projection_activation"],
)
def test_coupled_gates_are_those_with_i_one_less_f(fields):
    coupled, full = LSTM(coupled=True, **fields), LSTM(**fields)
    params = parameters(coupled, N)
    gates = {"kernel": 3, "recurrent_kernel": 3, "bias": 3, "peephole": 2}
    opposed = dict(params)  # 1 - s(a) = s(-a)
    for name in gates.keys() & params.keys():
        f, *others = blocks(params, name, gates[name])
        opposed[name] = np.concatenate([-f, f, *others], axis=-1)
    expected = jr.unroll(full, opposed, XS, **FLAGS)
    close(jr.unroll(coupled, params, XS, **FLAGS), expected)


@pytest.mark.parametrize("fields", [{}, {"peepholes": True}], ids=["bare", "peepholes"])
def test_a_projection_is_a_recurrent_kernel_in_two_factors(fields):
    projected, full = LSTM(projection_size=R, **fields), LSTM(**fields)
    params = parameters(projected, N)
    P, U = (np.asarray(params[n]) for n in ("projection_kernel", "recurrent_kernel"))
    whole = params | {"recurrent_kernel": P @ U}
    del whole["projection_kernel"]
    (hidden, cell), ys = jr.unroll(full, whole, XS, **FLAGS)
    expected = jr.LSTMCarry(hidden @ P, cell), ys @ P
    close(jr.unroll(projected, params, XS, **FLAGS), expected)


def test_peepholes_that_are_shut_are_none():
    params = parameters(LSTM(), N)
    shut = params | {"peephole": jnp.zeros(3 * H)}
    expected = jr.unroll(LSTM(), params, XS, **FLAGS)
    close(jr.unroll(LSTM(peepholes=True), shut, XS, **FLAGS), expected)


@pytest.mark.parametrize(
    "name, f", [("tanh", np.tanh), ("relu", lambda a: a * (a > 0))]
)
def test_the_output_gate_sees_the_new_cell_and_the_others_the_old(name, f):
    cell = LSTM(peepholes=True, activation=name)
    params = parameters(cell, N)
    p_i, p_f, p_o = blocks(params, "peephole", 3)
    h, c, ys = np.zeros((B, H)), np.zeros((B, H)), []
    for x in XS:
        sums = x @ params["kernel"] + h @ params["recurrent_kernel"] + params["bias"]
        a_i, a_f, a_o, a_g = np.split(np.asarray(sums), 4, axis=-1)
        c = sigmoid(a_f + p_f * c) * c + sigmoid(a_i + p_i * c) * f(a_g)
        h = sigmoid(a_o + p_o * c) * f(c)
        ys.append(h)
    close(jr.unroll(cell, params, XS), (jr.LSTMCarry(h, c), np.stack(ys)))


def test_an_activation_by_name_is_the_function():
    params = parameters(LSTM(), N)
    named, given = LSTM(activation="tanh"), LSTM(activation=jnp.tanh)
    close(jr.unroll(given, params, XS), jr.unroll(named, params, XS))


@pytest.mark.parametrize(
    "fields, wide",
    [({}, 4 * H), ({"coupled": True}, 3 * H), ({"projection_size": R}, 4 * H)],
    ids=["plain", "coupled", "projected"],
)
def test_where_all_gates_are_known_at_once_they_are_one_wide_tanh(fields, wide):
    cell = LSTM(**fields)
    ready = parameters(cell, N)
    carry, z = cell.initial_carry(ready, (B,)), cell.project(ready, XS[0])
    program = jax.make_jaxpr(dissolved(cell.recur))(ready, carry, z)
    sizes = [(e.primitive.name, e.outvars[0].aval.shape) for e in program.eqns]
    assert [size for name, size in sizes if name == "tanh"] == [(B, wide), (B, H)]
    assert not {"logistic", "exp"} & dict(sizes).keys()


@pytest.mark.parametrize(
    "around",
    [
        lambda cell: jr.Zoneout(cell, 0.3, 0.6),
        lambda cell: jr.SkipThroughTime(cell, 3),
        lambda cell: jr.Residual(jr.VariationalDropout(cell, state=0.4)),
        lambda cell: jr.LearnedCarry(jr.WeightDrop(cell, 0.4, "projection_kernel")),
        lambda cell: jr.Stack(jr.Attend(cell, memory_size=9), cell),
    ],
    ids=["zoneout", "skip", "dropout", "learned", "stack"],
)
@pytest.mark.slow
def test_what_goes_around_an_lstm_goes_around_all_its_variants(around):
    cell = around(jr.LSTM(H, **ALL))
    case = draw_case(Row("variants", cell, R, context=memory(9)), T, (B,))
    options = FLAGS | {"key": jax.random.key(1)}
    close(case.unroll(**options), loop(case, **options)[:2])


# The parameters.


@pytest.mark.parametrize(
    "fields, changed",
    [
        ({}, {}),
        ({"peepholes": True}, {"peephole": (3 * H,)}),
        (
            {"projection_size": R},
            {"recurrent_kernel": (R, 4 * H), "projection_kernel": (H, R)},
        ),
        (
            ALL,
            {
                "kernel": (N, 3 * H),
                "recurrent_kernel": (R, 3 * H),
                "bias": (3 * H,),
                "peephole": (2 * H,),
                "projection_kernel": (H, R),
                "kernel_scale": (3 * H,),
                "recurrent_scale": (3 * H,),
                "cell_scale": (H,),
                "cell_bias": (H,),
            },
        ),
    ],
    ids=["plain", "peepholes", "projection", "all"],
)
def test_parameters_have_the_sizes_that_are_documented(fields, changed):
    plain = {"kernel": (N, 4 * H), "recurrent_kernel": (H, 4 * H), "bias": (4 * H,)}
    params = jax.eval_shape(functools.partial(LSTM(**fields).init, input_size=N), KEY)
    assert jax.tree.map(lambda a: a.shape, params) == plain | changed


def test_coupled_gates_have_three_quarters_of_the_parameters():
    count = lambda cell: sum(a.size for a in jax.tree.leaves(parameters(cell, N)))
    assert 4 * count(LSTM(coupled=True)) == 3 * count(LSTM())


def test_what_is_added_changes_no_weight_that_is_there():
    plain = LSTM().init(KEY, N)
    more = LSTM(peepholes=True, projection_size=H, chrono=9).init(KEY, N)
    for name in ("kernel", "recurrent_kernel"):
        np.testing.assert_array_equal(more[name], plain[name])


def test_every_gate_of_a_projected_lstm_starts_orthogonal():
    U = LSTM(projection_size=R).init(KEY, N)["recurrent_kernel"]
    for gate in np.split(np.asarray(U), 4, axis=-1):
        np.testing.assert_allclose(gate @ gate.T, np.eye(R), atol=1e-12)


@pytest.mark.parametrize("coupled", [False, True])
def test_the_forget_gate_starts_open(coupled):
    cell = LSTM(forget_bias=3.0, coupled=coupled)
    bias = np.split(np.asarray(cell.init(KEY, N)["bias"]), len(cell.gates))
    for gate, b in zip(cell.gates, bias, strict=True):
        np.testing.assert_array_equal(b, 3.0 if gate == "f" else 0.0)


def test_other_biases_are_added_to_the_open_gate():
    cell = LSTM(bias_init=jr.initializers.Uniform(0.5))
    i, f, o, g = np.split(np.asarray(cell.init(KEY, N)["bias"]), 4)
    drawn = np.abs([i, f - 1, o, g])
    assert np.all(drawn > 0) and np.all(drawn <= 0.5)


@pytest.mark.parametrize("coupled", [False, True])
def test_chrono_opens_the_forget_gate_for_up_to_so_many_steps(coupled):
    size, longest = 3000, 50
    cell = jr.LSTM(
        size,
        chrono=longest,
        coupled=coupled,
        kernel_init=jr.initializers.Zeros(),
        recurrent_init=jr.initializers.Zeros(),
        param_dtype="float64",
    )
    bias = np.split(np.asarray(cell.init(KEY, 1)["bias"]), len(cell.gates))
    biases = dict(zip(cell.gates, bias, strict=True))
    times = 1 / (1 - sigmoid(biases["f"]))
    assert 2 <= times.min() < 2.5 and longest - 0.5 < times.max() <= longest
    deviation = (longest - 2) / np.sqrt(12)
    assert abs(times.mean() - (2 + longest) / 2) < 5 * deviation / np.sqrt(size)
    assert not np.any([biases["o"], biases["g"]])
    if not coupled:
        np.testing.assert_array_equal(biases["i"], -biases["f"])


def test_all_variants_start_in_half_precision():
    cell = jr.LSTM(H, chrono=9, **ALL, param_dtype="bfloat16")
    for leaf in jax.tree.leaves(cell.init(KEY, N)):
        assert leaf.dtype == jnp.bfloat16 and bool(jnp.isfinite(leaf).all())


# What cannot be.


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"hidden_size": 0}, "`hidden_size` must be at least 1, got 0"),
        ({"projection_size": 0}, "`projection_size` must be at least 1, got 0"),
        ({"projection_size": -2}, "`projection_size` must be at least 1, got -2"),
        ({"chrono": 2}, "chrono: `longest` must be at least 3, got 2"),
        ({"chrono": 0}, "chrono: `longest` must be at least 1, got 0"),
        ({"activation": "tahn"}, "`activation` must be a function or a name"),
    ],
)
def test_bad_fields_are_told(fields, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        jr.LSTM(**({"hidden_size": H} | fields))


@pytest.mark.parametrize("name", ["projection_size", "chrono"])
@pytest.mark.parametrize("value", [4.0, True, "4"])
def test_numbers_of_units_and_steps_are_integers(name, value):
    with pytest.raises(TypeError, match=f"must be an integer, got {value!r}"):
        jr.LSTM(H, **{name: value})


def test_a_projection_may_widen():
    cell = LSTM(projection_size=2 * H)
    assert jr.unroll(cell, cell.init(KEY, N), XS)[1].shape == (T, B, 2 * H)


def test_an_activation_without_a_name_does_not_travel():
    with pytest.raises(TypeError, match="top level"):
        jr.LSTM(H, activation=lambda a: a).to_json()
