"""What would be lost in silence is kept, or refused by name."""

import types

import jax
import numpy as np
import pytest

import jaxrnn as jr
from interop.peers import keras_peer
from interop.weights import H, N, normal, params_of, torch_weights
from laws.harness import close, same_bits

interop = jr.interop
both = jr.Bidirectional(jr.LSTM(H))
parity = pytest.mark.parity


@pytest.mark.parametrize("cell", [both, jr.Stack(both), jr.Stack(jr.Stack(both))])
def test_both_directions_are_refused_where_there_is_one(cell):
    for peer in (interop.equinox, interop.haiku):
        for use in (peer.write, peer.write_carry, peer.read_carry):
            with pytest.raises(ValueError, match="has no counterpart of "):
                use(cell, None)


def layer(kind, **options):
    return type(kind, (types.SimpleNamespace,), {})(name="case", built=True, **options)


def relu(x):
    """A user's function, which is not Keras'."""
    return x


@pytest.mark.parametrize(
    "given, message",
    [
        (
            layer("Embedding", mask_zero=True),
            "`mask_zero=True` of `case` has no counterpart: set it to False, and give",
        ),
        (layer("Dropout", noise_shape=(1, 2)), r"`noise_shape=\(1, 2\)` of `case`"),
        (layer("Dense", activation=relu), "`activation='relu'` of `case`"),
        (layer("Dense", activation=lambda x: x), "`activation='<lambda>'` of"),
        (layer("Dense", activation=layer("LeakyReLU")), "`activation='LeakyReLU'`"),
        (
            layer(
                "Sequential",
                layers=[layer("Bidirectional", return_sequences=False)],
            ),
            "^`return_sequences=False` of `case` has .*: read it alone, and take b",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_options_of_keras_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        interop.keras.read(given)


def test_what_is_no_model_is_told():
    with pytest.raises(TypeError, match="a layer or a Sequential of Keras, got NoneTy"):
        interop.keras.read(None)
    with pytest.raises(ValueError, match="`names` must hold one name a layer, got"):
        interop.haiku.read({}, names=())
    with pytest.raises(TypeError, match="of a state_dict must be strings, got 0"):
        interop.torch.read({0: np.ones(2)})


def test_a_cell_that_is_given_has_the_modules_equations():
    case = keras_peer.Case("case", "SimpleRNN", None, {"activation": "relu"})
    weights = {"0": np.ones((N, H)), "1": np.ones((H, H)), "2": np.ones(H)}
    foreign = keras_peer.foreign(case, weights)
    with pytest.raises(ValueError, match=r"^the module is Elman.5, activation='relu'."):
        interop.keras.read(foreign, jr.Elman(H))
    other_start = jr.Elman(H, "relu", param_dtype="float64")
    assert interop.keras.read(foreign, other_start)[0] == other_start


def test_haikus_modules_may_have_other_names_and_no_bias():
    weights = {"mine": {"w": normal(N, 4)}}
    cell, params = interop.haiku.read(weights)
    assert cell == jr.Dense(4) and not np.any(params["bias"])
    written = interop.haiku.write(cell, params, names=("mine",))
    same_bits(written["mine"]["w"], weights["mine"]["w"])
    core = {"core/linear": {"w": normal(N + H, 4 * H), "b": normal(4 * H)}}
    with pytest.raises(ValueError, match=r"`core` is none of .*; give `cell`$"):
        interop.haiku.read(core)
    cell, params = interop.haiku.read(core, jr.LSTM(H, forget_offset=1.0))
    same_bits(interop.haiku.write(cell, params, names=("core",)), core)


def test_haikus_second_bias_is_written():
    cell = jr.Elman(H, "relu")
    written = interop.haiku.write(cell, params_of(cell, N))
    same_bits(written["vanilla_rnn/linear_1"]["b"], np.zeros(H, "float32"))


def one_cell(G):
    return {name.removesuffix("_l0"): w for name, w in torch_weights(G).items()}


def test_states_of_torchs_cells_and_of_one_row():
    lstm, gru = jr.LSTM(H), jr.GRU(H, "after")
    pair = normal(1, H), normal(1, H)
    same_bits(interop.torch.read_carry(lstm, pair, one_cell=True), jr.LSTMCarry(*pair))
    row = jr.LSTMCarry(pair[0][0], pair[1][0])
    same_bits(interop.torch.read_carry(lstm, pair), row)
    same_bits(interop.torch.read_carry(gru, pair[0], one_cell=True), pair[0])


@pytest.mark.parametrize(
    "cell, states, message",
    [
        (jr.LSTM(H), np.ones((1, 2, H)), r"must be a pair, h and c, for LSTM.*float64"),
        (jr.GRU(H, "after"), (np.ones((1, H)),) * 2, "must be one tensor, h, for GRU"),
        (jr.LSTM(H), (np.ones((1, 2, H)),) * 3, "must be a pair, h and c, for LSTM"),
        (jr.LSTM(H), (np.ones((1, H)), np.ones((1, 4))), r"`c` of LSTM.5. must be .5."),
        (
            jr.LSTM(H, projection_size=2),
            (np.ones((1, H)), np.ones((1, H))),
            r"`h` of LSTM.5, projection_size=2. must be .2. or .B, 2., got float64.5.",
        ),
        (jr.Elman(H), np.ones((1, 2, 3, H)), r"`h` of Elman.5. must be .5. or .B, 5."),
        (jr.Elman(H), np.ones((3, H)), "must hold 1 states for Elman.5., got 3"),
    ],
)
def test_other_states_of_torch_are_refused(cell, states, message):
    with pytest.raises(ValueError, match=message):
        interop.torch.read_carry(cell, states)


def test_a_cell_of_torch_is_one():
    cell = jr.Stack(jr.GRU(H, "after"))
    for use in (interop.torch.write, interop.torch.write_carry):
        with pytest.raises(ValueError, match="a cell of torch is one LSTM, GRU or Elm"):
            use(cell if use is interop.torch.write else both, None, one_cell=True)


@parity
def test_torchs_cells_come_back_as_they_went_in():
    torch = pytest.importorskip("torch")
    for kind, G in (("LSTMCell", 4), ("GRUCell", 3), ("RNNCell", 1)):
        module = getattr(torch.nn, kind)(N, H)
        cell, params = interop.torch.read(module)
        assert module.state_dict().keys() == one_cell(G).keys()
        module.load_state_dict(interop.torch.write(cell, params, one_cell=True))
        same_bits(interop.torch.read(module)[1], params)
        state = module(torch.ones(2, N))
        carry = interop.torch.read_carry(cell, state, one_cell=True)
        again = interop.torch.write_carry(cell, carry, one_cell=True)
        for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(carry), strict=True):
            np.testing.assert_array_equal(a, b)


@parity
def test_torchs_options_are_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match=r"`max_norm=1.0` of nn.Embedding has no c"):
        interop.torch.read(torch.nn.Embedding(7, 3, max_norm=1.0))
    with pytest.raises(ValueError, match=r"^the module is Elman.5, activation='relu'"):
        relu = torch.nn.RNN(N, H, nonlinearity="relu")
        interop.torch.read(relu, jr.Elman(H, recurrent_bias=True))
    with pytest.raises(ValueError, match=r"^the module is Stack.*Dropout.0.5."):
        two = jr.Stack(jr.TorchLSTM(H), jr.TorchLSTM(H))
        interop.torch.read(torch.nn.LSTM(N, H, num_layers=2, dropout=0.5), two)


@parity
@pytest.mark.usefixtures("as_a_user_runs_it")
@pytest.mark.filterwarnings("ignore:__array__ implementation")  # of NumPy 2
def test_keras_own_layers():
    nn = keras_peer.keras().layers
    model = keras_peer.keras().Sequential([nn.Bidirectional(nn.GRU(4))])
    xs = normal(2, 6, N)
    theirs = model(xs)
    with pytest.raises(ValueError, match="`return_sequences=False` of `bidirectional"):
        interop.keras.read(model)
    cell, params = interop.keras.read(model.layers[0])
    carry, _ = jr.unroll(cell, params, xs, time_axis=1)
    close(np.concatenate(carry, -1), np.asarray(theirs), 1e-5)
    for activation in (relu, lambda x: x, nn.LeakyReLU()):
        lone = nn.LSTM(4, activation=activation)
        lone.build((None, None, N))
        with pytest.raises(ValueError, match=r"`activation='.*'` of `lstm"):
            interop.keras.read(lone)


@parity
def test_haiku_takes_the_weights_of_ours():
    hk = pytest.importorskip("haiku")
    cell = jr.Elman(H, "relu")
    params = params_of(cell, N)
    run = hk.without_apply_rng(hk.transform(lambda x, h: hk.VanillaRNN(H)(x, h)[0]))
    x, h = normal(2, N), normal(2, H)
    y = run.apply(interop.haiku.write(cell, params), x, h)
    close(jr.unroll(cell, params, x[None], h)[1][0], y, 1e-5)
