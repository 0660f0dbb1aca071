"""Our models as ONNX graphs: run by onnxruntime, and read back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from interop.onnx_cases import by_onnxruntime
from jaxrnn.activations import Clipped, HardSigmoid, ScaledTanh
from jaxrnn.interop import onnx as interop

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

CELLS = {
    "elman": jr.Elman(5, activation="leaky_relu"),
    "lstm": jr.LSTM(5),
    "lstm_all": jr.LSTM(
        5,
        peepholes=True,
        coupled=True,
        recurrent_bias=True,
        gate_activation=HardSigmoid(0.3, 0.5),
        activation=ScaledTanh(1.5, 0.7),
        output_activation="soft_sign",
    ),
    "lstm_clipped": jr.LSTM(
        5,
        gate_activation=Clipped("sigmoid", 0.5),
        activation=Clipped("tanh", 0.5),
        output_activation="identity",
    ),
    "gru": jr.GRU(5, update="replace"),
    "gru_after": jr.GRU(5, reset="after", recurrent_bias=True),
    "gru_after_one": jr.GRU(5, reset="after", activation="softplus"),
    "both_directions": jr.Bidirectional(jr.LSTM(5), jr.GRU(2)),
    "sum": jr.Bidirectional(jr.GRU(5), merge="sum"),
    "average": jr.Bidirectional(jr.Elman(5), merge="average"),
    "reverse": jr.Reverse(jr.GRU(5)),
    "layers": jr.Stack(
        jr.Dense(5),
        jr.LayerNorm(),
        jr.Residual(jr.Stack(jr.LearnedCarry(jr.LSTM(4)), jr.Dense(5))),
        jr.Dropout(0.3),
        jr.Map("elu"),
        jr.Bidirectional(jr.LSTM(2)),
        jr.Dense(7),
        jr.Map("log_softmax"),
    ),
    "ids": jr.Stack(jr.Embed(11, 4), jr.LSTM(5), jr.Dense(11)),
    "one_hot": jr.Stack(jr.OneHot(11), jr.GRU(5), jr.Map("identity")),
}


def trained(cell):
    """Parameters that are random all through, biases too."""
    size = None if cell.input_ndim == 0 else 3
    shapes = jax.eval_shape(lambda key: cell.init(key, size), jax.random.key(1))
    rng = np.random.default_rng(2)
    draw = lambda a: jnp.asarray((rng.normal(size=a.shape) / 2).astype(np.float32))
    return jax.tree.map(draw, shapes)


def inputs(cell, T, B):
    rng = np.random.default_rng(3)
    if cell.input_ndim == 0:
        return rng.integers(0, 11, (T, B))
    return rng.normal(size=(T, B, 3)).astype(np.float32)


QUICK = ("layers",)


@pytest.mark.parametrize(
    "name",
    [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in CELLS],
)
def test_onnxruntime_equals_unroll(name):
    cell = CELLS[name]
    params = trained(cell)
    model = interop.write(cell, params)
    for T, B in ((7, 2), (4, 6))[: 2 if name == "ids" else 1]:
        xs = inputs(cell, T, B)
        (ys,) = by_onnxruntime(model, {"xs": xs})
        _, expected = jr.unroll(cell, params, jnp.asarray(xs))
        np.testing.assert_allclose(ys, expected, rtol=1e-5, atol=1e-5)


def test_lengths_and_states_are_inputs_and_outputs():
    cell = jr.Stack(
        jr.Embed(11, 4),
        jr.Bidirectional(jr.LSTM(5, peepholes=True)),
        jr.GRU(3),
        jr.Dense(2),
    )
    params = trained(cell)
    model = interop.write(cell, params, lengths=True, carry=True)
    xs, lengths = inputs(cell, 7, 4), np.array([7, 2, 5, 1], np.int32)
    xs[2:, 1] = 10**6  # padding may hold anything
    rng = np.random.default_rng(4)
    carry = cell.initial_carry(cell.prepare(params), (4,))
    normal = lambda a: jnp.asarray(rng.normal(size=a.shape).astype(np.float32))
    carry = jax.tree.map(normal, carry)
    place = lambda path: jax.tree_util.keystr(path, simple=True, separator="/")
    leaves = jax.tree.leaves_with_path(carry)
    given = {f"carry/{place(path)}": np.asarray(leaf) for path, leaf in leaves}
    *states, ys = by_onnxruntime(model, given | {"xs": xs, "lengths": lengths})
    last, expected = jr.unroll(
        cell, params, jnp.asarray(xs), carry, lengths=jnp.asarray(lengths)
    )
    np.testing.assert_allclose(ys, expected, rtol=1e-5, atol=1e-5)
    names = [output.name for output in model.graph.output[:-1]]
    for path, leaf in jax.tree.leaves_with_path(last):
        found = states[names.index(f"last/{place(path)}")]
        np.testing.assert_allclose(found, leaf, rtol=1e-5, atol=1e-5)


# Written with the update turned round, and without what does nothing.
OTHERWISE = ("gru", "layers", "one_hot")
BACK = ("lstm_all", "lstm_clipped", "gru_after_one", "both_directions")


@pytest.mark.parametrize(
    "name",
    [
        n if n in BACK else pytest.param(n, marks=pytest.mark.slow)
        for n in CELLS
        if n not in OTHERWISE
    ],
)
def test_what_is_read_back_is_the_same(name):
    cell = CELLS[name]
    params = trained(cell)
    same, weights = interop.read(interop.write(cell, params))
    assert same == cell
    jax.tree.map(np.testing.assert_array_equal, weights, params)


def test_layers_are_read_back_from_a_file(tmp_path):
    cell, path = CELLS["layers"], tmp_path / "model.onnx"
    params = trained(cell)
    interop.write(cell, params, path)
    same, weights = interop.read(path)
    kept = [i for i, c in enumerate(cell.cells) if not isinstance(c, jr.Dropout)]
    assert same == jr.Stack(*(cell.cells[i] for i in kept))
    jax.tree.map(np.testing.assert_array_equal, weights, tuple(params[i] for i in kept))


def test_lengths_are_read_back():
    cell = jr.Stack(jr.Embed(11, 4), jr.Bidirectional(jr.GRU(5)), jr.Dense(2))
    params = trained(cell)
    for carry in (False, True):
        model = interop.write(cell, params, lengths=True, carry=carry)
        same, weights = interop.read(model)
        assert same == cell
        jax.tree.map(np.testing.assert_array_equal, weights, params)


def test_functions_known_by_name_come_back_by_it():
    cell = jr.GRU(2, gate_activation="hard_sigmoid")  # 1/6 is no number of float32
    assert interop.read(interop.write(cell, trained(cell)))[0] == cell


@pytest.mark.slow
def test_trained_models_continue_alike():
    cell = jr.Stack(jr.Embed(11, 4), jr.LSTM(5, recurrent_bias=True), jr.Dense(11))
    params, ids = trained(cell), jnp.asarray(inputs(cell, 8, 3))
    same, weights = interop.read(interop.write(cell, params))
    loss = lambda p, c: jr.unroll_loss(c, p, ids[:-1], ids[1:], jr.cross_entropy)[0]
    next_loss = lambda c, p: loss(
        jax.tree.map(lambda a, g: a - g / 8, p, jax.grad(loss)(p, c)), c
    )
    assert next_loss(same, weights) == next_loss(cell, params)


def test_states_of_both_directions_are_a_pair_of_any_kind():
    cell = jr.Bidirectional(jr.LSTM(3), jr.LearnedCarry(jr.LSTM(3)))
    states = [np.ones((2, 4, 3)), np.zeros((2, 4, 3))]
    carry = interop.read_carry(cell, states)
    assert carry.backward.hidden.shape == (4, 3)
    jax.tree.map(
        np.testing.assert_array_equal, interop.write_carry(cell, carry), (*states,)
    )


@pytest.mark.parametrize(
    "cell, states, words",
    [
        (
            jr.LSTM(3),
            np.ones((1, 4, 3)),
            r"`states` of LSTM\(3\) must be a pair, h and c",
        ),
        (jr.GRU(3), np.ones((4, 3)), r"of shape \[1, B, 3\], got \[4, 3\]"),
        (jr.Bidirectional(jr.GRU(3)), np.ones((1, 4, 3)), r"of shape \[2, B, 3\]"),
        (
            jr.Bidirectional(jr.GRU(3), jr.LSTM(3)),
            None,
            "no one state of the different",
        ),
        (jr.Bidirectional(jr.GRU(3), jr.GRU(2)), None, "no one state of the different"),
    ],
    ids=str,
)
def test_states_that_do_not_fit_are_refused(cell, states, words):
    with pytest.raises(ValueError, match=words):
        interop.read_carry(cell, states)


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan")])
def test_a_limit_is_above_0(limit):
    with pytest.raises(ValueError, match="`limit` must be above 0, got"):
        Clipped("tanh", limit)


def test_what_has_no_counterpart_is_refused():
    for cell, words in {
        jr.LSTM(4, projection_size=2): "`projection_size=2`",
        jr.GRU(4, layer_norm=True): "`layer_norm=True`",
        jr.Stack(jr.LSTM(4), jr.MGU(3)): r"layer 1 of Stack: MGU\(3\)",
        jr.Elman(4, activation="silu"): "'silu'",
        jr.Reverse(jr.Stack(jr.GRU(3))): "one direction",
        jr.LSTM(4, activation=Clipped("tanh", 2.0)): "clips by one number",
        jr.GRU(4, update="replace", gate_activation="relu"): "`update='replace'`",
        jr.LSTM(4, coupled=True, gate_activation="relu"): "input_forget=1",
        jr.Map("gelu"): "Map",
    }.items():
        with pytest.raises(ValueError, match=words):
            interop.write(cell, trained(cell))
