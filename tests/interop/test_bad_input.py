"""What foreign weights may have wrong with them, and what has no counterpart."""

import types

import jax
import numpy as np
import pytest

import jaxrnn as jr
from interop.peers import keras_peer
from interop.weights import H, N, normal, params_of, torch_weights
from laws.harness import close, same_bits

rng = np.random.default_rng(0)
interop = jr.interop


def test_every_difference_is_listed_at_once():
    weights = torch_weights(layers=2)
    del weights["bias_hh_l1"]
    weights["weight_ih_l1"] = weights["weight_ih_l1"].T
    weights["bias_ih_l0"] = np.arange(20)
    weights["weight_hh_l0"] = [[1.0]]
    weights["more"] = np.ones(2, "float32")
    two = jr.LSTM(H, recurrent_bias=True)
    with pytest.raises(ValueError) as caught:
        interop.torch.read(weights, jr.Stack(two, two))
    head, *lines = str(caught.value).splitlines()
    assert head.startswith("the weights do not fit Stack(LSTM(5, recurrent_bias=True)")
    assert sorted(lines) == [
        "  bias_hh_l1: expected float32[20], got nothing",
        "  bias_ih_l0: expected float32[20], got int64[20]",
        "  more: expected nothing, got float32[2]",
        "  weight_hh_l0: expected float32[20, 5], got list",
        "  weight_ih_l1: expected float32[20, 5], got float32[5, 20]",
    ]


@pytest.mark.parametrize(
    "weights", [{}, {"weight_hh_l0": np.ones((7, 5))}, {"rnn.weight_hh_l0": np.ones(2)}]
)
def test_weights_that_tell_no_cell_ask_for_it(weights):
    with pytest.raises(ValueError, match=r"^`weight_hh_l0` must be a matrix of 4H, 3H"):
        interop.torch.read(weights)


def test_torch_takes_no_other_thing():
    with pytest.raises(TypeError, match="must be a torch module or a state_dict, got"):
        interop.torch.read([1, 2])


@pytest.mark.parametrize(
    "G, one", [(4, jr.LSTM(H)), (3, jr.GRU(H, "after")), (1, jr.Elman(H))]
)
def test_two_biases_are_one_on_request_only(G, one):
    weights = torch_weights(G)
    with pytest.raises(ValueError, match="two biases, `bias` and `recurrent_bias`, wh"):
        interop.torch.read(weights, one)
    cell, params = interop.torch.read(weights, sum_biases=True)
    assert cell == one
    same_bits(interop.torch.read(weights, one, sum_biases=True)[1], params)
    both, full = interop.torch.read(weights)
    assert both == one.replace(recurrent_bias=True)
    xs = rng.normal(size=(4, 2, N)).astype("float32")
    close(jr.unroll(cell, params, xs), jr.unroll(both, full, xs), 1e-5)


def test_a_cells_own_convention_of_the_update_is_kept():
    weights = torch_weights(3)
    cell = jr.GRU(H, "after", "replace", recurrent_bias=True)
    _, params = interop.torch.read(weights, cell)
    keep, plain = interop.torch.read(weights)
    xs = rng.normal(size=(4, 2, N)).astype("float32")
    close(jr.unroll(cell, params, xs), jr.unroll(keep, plain, xs), 1e-5)


def test_float64_without_x64_loses_no_bit_in_silence():
    weights = {name: w.astype("float64") for name, w in torch_weights().items()}
    message = "only with jax_enable_x64 set"
    with jax.enable_x64(False), pytest.raises(ValueError, match=message):
        interop.torch.read(weights)


@pytest.mark.parametrize(
    "cell, message",
    [
        (jr.LSTM(H, peepholes=True), "`peepholes=True`"),
        (
            jr.LSTM(H, coupled=True, layer_norm=True),
            "`layer_norm=True`, `coupled=True`",
        ),
        (jr.GRU(H), "`reset='before'`"),
        (jr.Elman(H, "sigmoid"), "`activation='sigmoid'`"),
        (jr.IndRNN(H), "torch has no counterpart of IndRNN"),
        (jr.Stack(jr.LSTM(H), jr.LSTM(4)), "layers are of one kind, got"),
        (
            jr.Bidirectional(jr.GRU(H, "after"), jr.LSTM(H)),
            "directions are of one kind",
        ),
        (jr.Bidirectional(jr.LSTM(H), merge="sum"), "no counterpart of `merge`"),
        (jr.Residual(jr.LSTM(N)), "torch has no counterpart of Residual"),
    ],
)
def test_what_torch_has_no_counterpart_of_is_named(cell, message):
    with pytest.raises(ValueError) as caught:
        interop.torch.write(cell, None)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["torch", "keras", "flax", "haiku", "equinox", "onnx"])
def test_parameters_of_another_cell_are_refused_with_every_difference(name):
    cell, into = jr.GRU(H, "after"), ()
    if name == "haiku":
        cell = jr.GRU(H, update="replace")
    if name == "flax":
        into = (pytest.importorskip("flax.linen").GRUCell(H),)
    if name == "onnx":
        pytest.importorskip("onnx")
    params = {"kernel": normal(N, 9), "bias": np.arange(15), "more": normal(2)}
    with pytest.raises(ValueError) as caught:
        getattr(interop, name).write(cell, params, *into)
    head, *lines = str(caught.value).splitlines()
    assert head == f"the parameters do not fit {cell}:"
    second = ["  recurrent_bias: expected float32[5], got nothing"]
    assert sorted(lines) == [
        "  bias: expected float32[15], got int64[15]",
        "  kernel: expected float32[3, 15], got float32[3, 9]",
        "  more: expected nothing, got float32[2]",
        *(second if cell.reset == "after" else []),
        "  recurrent_kernel: expected float32[5, 15], got nothing",
    ]


def test_states_of_another_number_are_refused():
    cell = jr.Stack(jr.GRU(H), jr.GRU(H))
    with pytest.raises(ValueError, match=r"must hold 2 states for Stack.*, got 3$"):
        interop.torch.read_carry(cell, np.ones((3, 2, H)))
    with pytest.raises(ValueError, match=r"must hold 2 states for LSTM.5., got 1$"):
        interop.keras.read_carry(jr.LSTM(H), [np.ones((2, H))])


def haiku_weights():
    return {
        "embed": {"embeddings": normal(11, N)},
        "lstm/linear": {"w": normal(N + H, 4 * H), "b": normal(4 * H)},
        "vanilla_rnn/linear": {"w": normal(H, 4), "b": normal(4)},
        "vanilla_rnn/linear_1": {"w": normal(4, 4), "b": normal(4)},
        "linear": {"w": normal(4, 2), "b": normal(2)},
    }


def test_haikus_modules_are_layers_in_the_order_of_their_names():
    weights = haiku_weights()
    names = ("embed", "lstm", "vanilla_rnn", "linear")
    with pytest.raises(
        ValueError, match="several modules, embed, lstm, vanilla_rnn, li"
    ):
        interop.haiku.read(weights)
    cell, params = interop.haiku.read(weights, names=names)
    relu = jr.Elman(4, activation="relu", recurrent_bias=True)
    lstm = jr.LSTM(H, forget_offset=1.0)
    assert [layer.replace() for layer in cell.cells][2:] == [relu, jr.Dense(2)]
    assert interop.same.alike(cell.cells[1], lstm)
    same_bits(interop.haiku.write(cell, params), weights)
    one, summed = interop.haiku.read(weights, names=names, sum_biases=True)
    ids = np.array([[1, 2], [0, 10]])
    close(jr.unroll(one, summed, ids)[1], jr.unroll(cell, params, ids)[1], 1e-5)


def test_an_lstm_of_ours_goes_to_haiku_without_haikus_offset():
    cell = jr.LSTM(H)
    params = params_of(cell, N)
    params["bias"] = np.repeat(np.float32([0, 1, 0, 0]), H)  # i, f, o, g
    written = interop.haiku.write(cell, params)
    assert not np.any(written["lstm/linear"]["b"])
    same_bits(interop.haiku.read(written, cell)[1], params)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"dropout": 0.5}, "`dropout=0.5` of `case` has no counterpart"),
        ({"go_backwards": True}, "`go_backwards=True` of `case`"),
        ({"activation": "selu"}, "`activation='selu'` of `case`"),
        ({"recurrent_activation": "selu"}, "`recurrent_activation='selu"),
    ],
)
def test_options_of_keras_without_a_counterpart_are_named(change, message):
    case = keras_peer.Case("case", "LSTM", None, change)
    weights = {"0": np.ones((N, 20)), "1": np.ones((H, 20)), "2": np.ones(20)}
    with pytest.raises(ValueError) as caught:
        interop.keras.read(keras_peer.foreign(case, weights))
    assert message in str(caught.value)


def test_unknown_layers_are_named():
    layer = type("Conv1D", (types.SimpleNamespace,), {})(name="conv")
    with pytest.raises(ValueError, match=r"^`conv`, a layer of the kind Conv1D, ha"):
        interop.keras.read(layer)
    with pytest.raises(ValueError, match=r"^Conv1D has no counterpart: known are LSTM"):
        interop.equinox.read(layer)
    with pytest.raises(TypeError, match="must be a module of Flax, got Conv1D"):
        interop.flax.read(layer)
