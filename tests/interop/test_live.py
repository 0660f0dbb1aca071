"""The peers themselves, beside us: numbers, training that goes on, and the way back."""

import dataclasses
import importlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxrnn as jr
from interop.compare import agrees, as_numpy, lacking, leaves
from interop.record import FILES, peer_of
from laws.harness import close

pytestmark = [
    pytest.mark.parity,
    pytest.mark.usefixtures("standard_promotion"),
    # torch says so of float32, once.
    pytest.mark.filterwarnings("ignore:LSTM with projections is not supported"),
    pytest.mark.filterwarnings("ignore:__array__ implementation"),  # Keras, of NumPy 2
]
PAIRS = [(name, case) for name in FILES for case in peer_of(name).CASES]
# One of each peer and feature; the others are slow.
LEAN = {
    "torch": ("lstm_deep", "lstm_projected", "gru", "rnn_relu"),
    "keras": ("lstm", "gru_after_both", "gru_before", "simple"),
    "haiku": ("lstm", "gru", "vanilla"),
    "equinox": ("lstm", "gru"),
    "flax": ("linen_lstm", "linen_mgu", "nnx_optimized", "nnx_gru_both"),
}


def cases(lean):
    """Every case, those slow that are not `lean`."""
    return pytest.mark.parametrize(
        "name, case",
        [
            pytest.param(
                name,
                case,
                id=f"{name}-{case.name}",
                marks=() if lean(name, case) else pytest.mark.slow,
            )
            for name, case in PAIRS
        ],
    )


BOTH_BIASES = [pair for pair in PAIRS if lacking(pair[1]) == "nothing"]
FIRST = dict(reversed(BOTH_BIASES))


@pytest.fixture(autouse=True)
def there(name):
    """Skips what is not installed."""
    if name == "keras":
        pytest.importorskip("jax")
        peer_of("keras").keras()
    else:
        pytest.importorskip(name)


@cases(lambda name, case: case.name in LEAN[name])
@pytest.mark.parametrize(
    "dtype, tolerance",
    [("float64", 1e-10), pytest.param("float32", 1e-5, marks=pytest.mark.slow)],
)
def test_outputs_states_and_gradients_are_those_of_the_peer(
    name, case, dtype, tolerance
):
    peer = peer_of(name)
    if hasattr(peer, "TOLERANCE"):
        if dtype == "float32":
            pytest.skip(f"{name} always computes in float32")
        dtype, tolerance = "float32", peer.TOLERANCE
    theirs = peer.run(case, peer.drawn(case, dtype))
    agrees(peer, case, theirs, tolerance)


@pytest.mark.parametrize(
    "name, case",
    [
        pytest.param(*pair, marks=[] if pair[1] is FIRST[pair[0]] else pytest.mark.slow)
        for pair in BOTH_BIASES  # one that lacks a bias would be trained with it here
    ],
    ids=lambda p: getattr(p, "name", p),
)
def test_training_goes_on_here_and_back_there(name, case):
    peer = peer_of(name)
    tolerance = getattr(peer, "TOLERANCE", 1e-10)
    there, target = peer.drawn(case), 1.0
    optimizer = optax.adam(0.05)

    def of(run):
        """The peer's squared error, and its gradient by the chain rule."""
        run = dataclasses.replace(run, pull=[np.zeros_like(p) for p in run.pull])
        real = np.ones(run.xs.shape[:2])
        if case.lengths is not None:
            real = np.arange(len(run.xs))[:, None] < case.lengths
        ys = peer.run(case, run).ys
        error = (ys - target) * real[..., None]
        told = peer.run(case, dataclasses.replace(run, push=error))
        return 0.5 * np.sum(error**2), told.d_weights

    weights = there.weights
    state = optimizer.init(weights)
    for _ in range(2):  # it is trained there
        _, gradient = of(dataclasses.replace(there, weights=weights))
        updates, state = optimizer.update(gradient, state)
        weights = as_numpy(optax.apply_updates(weights, updates))
    cell, params = peer.read(case, weights)
    start = peer.interop.read_carry(cell, peer.states(case, there.start))

    def loss(params):
        _, ys = jr.unroll(cell, params, there.xs, start, lengths=case.lengths)
        real = jnp.ones(ys.shape[:2])
        if case.lengths is not None:
            real = jnp.arange(len(ys))[:, None] < case.lengths
        return 0.5 * jnp.sum(((ys - target) * real[..., None]) ** 2)

    before, gradient = jax.value_and_grad(loss)(params)
    theirs, their_gradient = of(dataclasses.replace(there, weights=weights))
    assert before == pytest.approx(theirs, rel=tolerance)
    fresh = optax.sgd(0.05)  # and once more, on both sides
    updates, _ = fresh.update(gradient, fresh.init(params))
    params = optax.apply_updates(params, updates)
    updates, _ = fresh.update(their_gradient, fresh.init(weights))
    weights = as_numpy(optax.apply_updates(weights, updates))
    next_loss, _ = of(dataclasses.replace(there, weights=weights))
    assert loss(params) == pytest.approx(next_loss, rel=tolerance)
    back = peer.write(case, cell, params)
    assert back.keys() >= weights.keys()  # a bias of 0 more, where none may be
    again, _ = of(dataclasses.replace(there, weights=back))
    assert again == pytest.approx(next_loss, rel=tolerance)


@cases(lambda name, case: case is FIRST[name])
def test_states_come_back_as_they_went_in(name, case):
    peer = peer_of(name)
    given = peer.drawn(case)
    cell, _ = peer.read(case, given.weights)
    carry = peer.interop.read_carry(cell, peer.states(case, given.start))
    close(leaves(peer.interop.write_carry(cell, carry)), leaves(given.start), 0)


@pytest.mark.parametrize("name", ["torch"])
def test_a_torch_module_is_read_as_its_state_dict(name):
    torch = importlib.import_module("torch")
    options = {"num_layers": 2, "dropout": 0.3, "bidirectional": True}
    module = torch.nn.LSTM(3, 5, **options)
    cell, params = jr.interop.torch.read(module)
    assert cell.cells[1] == jr.Dropout(0.3) and len(cell.cells) == 3
    written = jr.interop.torch.write(cell, params)
    blank = torch.nn.LSTM(3, 5, **options)
    blank.load_state_dict(written)
    for key, tensor in module.state_dict().items():
        assert torch.equal(tensor, blank.state_dict()[key]), key
    relu = torch.nn.RNN(3, 5, nonlinearity="relu")
    assert jr.interop.torch.read(relu)[0].activation == "relu"
    half = torch.nn.GRU(3, 5, dtype=torch.bfloat16)
    cell, params = jr.interop.torch.read(half)
    assert params["kernel"].dtype == jnp.bfloat16
    assert jr.interop.torch.write(cell, params)["weight_ih_l0"].dtype == torch.bfloat16
    lone = torch.nn.LSTMCell(3, 5)
    cell, params = jr.interop.torch.read(lone)
    assert cell == jr.LSTM(5, recurrent_bias=True)


@pytest.mark.parametrize("name", ["keras"])
def test_a_keras_model_is_a_stack(name, tmp_path):
    keras = peer_of("keras").keras()
    model = keras.Sequential(
        [
            keras.layers.Embedding(11, 4),
            keras.layers.Bidirectional(keras.layers.GRU(5, return_sequences=True)),
            keras.layers.Dropout(0.1),
            keras.layers.LSTM(6, return_sequences=True),
            keras.layers.Dense(7, activation="relu"),
        ]
    )
    ids = np.array([[1, 2, 10], [0, 3, 4]])
    with jax.enable_x64(False):
        expected = np.asarray(model(ids))
        cell, params = jr.interop.keras.read(model)
        ys = jr.unroll(cell, params, ids, time_axis=1)[1]
        np.testing.assert_allclose(ys, expected, rtol=1e-5, atol=1e-6)
        written = jr.interop.keras.write(cell, params)
    for ours, theirs in zip(written, model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["equinox"])
def test_equinox_modules_in_a_row_are_a_stack(name):
    eqx = importlib.import_module("equinox")
    key = jax.random.key(0)
    row = [
        eqx.nn.Embedding(11, 3, key=key),
        eqx.nn.LSTMCell(3, 5, key=key),
        eqx.nn.Linear(5, 4, key=key),
    ]
    cell, params = jr.interop.equinox.read(row)
    assert cell == jr.Stack(jr.Embed(11, 3), jr.LSTM(5), jr.Dense(4))
    back = jr.interop.equinox.write(cell, params)
    for ours, theirs in zip(jax.tree.leaves(back), jax.tree.leaves(row), strict=True):
        np.testing.assert_array_equal(ours, theirs)
