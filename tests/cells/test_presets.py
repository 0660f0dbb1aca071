"""What each preset starts with."""

import jax
import numpy as np
import pytest

import jaxrnn as jr
from jaxrnn.initializers import GlorotUniform, Whole
from laws.harness import close

KEY = jax.random.key(0, impl="unsafe_rbg")  # its programs compile in half the time
N, H = 60, 80
PRESETS = [jr.IRNN, jr.NPRNN, jr.KerasLSTM, jr.KerasGRU, jr.TorchLSTM, jr.TorchGRU]
preset = pytest.mark.parametrize("preset", PRESETS, ids=lambda p: p.__name__)


def start(cell):
    params = cell.replace(param_dtype="float64").init(KEY, N)
    return jax.tree.map(np.asarray, params)


def uniform(weights, bound):
    """Whether they look drawn from U(-bound, bound), within five deviations."""
    near = 5 / np.sqrt(weights.size)
    assert np.abs(weights).max() <= bound
    assert np.abs(weights).max() > bound * (1 - 20 / weights.size)
    assert abs(weights.mean()) < near * bound / np.sqrt(3)
    assert abs((weights**2).mean() / bound**2 - 1 / 3) < near * np.sqrt(4 / 45)


@preset
def test_a_preset_is_a_cell_like_any_other(preset):
    cell = preset(4)
    assert eval(repr(cell), vars(jr) | vars(jr.initializers)) == cell
    assert cell == preset(4) and cell != preset(5)


@preset
@pytest.mark.parametrize("size", [0, -1])
def test_sizes_are_at_least_one(preset, size):
    message = f"^`hidden_size` must be at least 1, got {size}$"
    with pytest.raises(ValueError, match=message):
        preset(size)


@preset
def test_sizes_are_integers(preset):
    message = r"^`hidden_size` must be an integer, got 4\.0$"
    with pytest.raises(TypeError, match=message):
        preset(4.0)


def test_an_irnn_hands_its_state_on_as_it_is():
    cell = jr.IRNN(5).replace(param_dtype="float64")
    state = np.random.default_rng(0).random((2, 5))
    params = cell.init(KEY, 3)
    carry, _ = jr.unroll(cell, params, np.zeros((9, 2, 3)), state)
    close(carry, state)


def test_an_irnn_may_forget():
    params = start(jr.IRNN(H, 0.01))
    np.testing.assert_array_equal(params["recurrent_kernel"], 0.01 * np.eye(H))
    assert 0.0009 < params["kernel"].std() < 0.0011
    assert not np.any(params["bias"])


def test_an_np_rnn_keeps_one_direction_and_lets_none_grow():
    cell, U = jr.NPRNN(H), start(jr.NPRNN(H))["recurrent_kernel"]
    values = np.linalg.eigvalsh(U)
    assert cell.activation == "relu"
    assert values[0] > 0 and values[-2] < 1
    assert values[-1] == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("preset, G", [(jr.KerasLSTM, 4), (jr.KerasGRU, 3)])
def test_keras_draws_all_gates_as_one(preset, G):
    params = start(preset(H))
    uniform(params["kernel"], np.sqrt(6 / (N + G * H)))
    U = params["recurrent_kernel"]
    np.testing.assert_allclose(U @ U.T, np.eye(H), atol=1e-12)
    gate = np.linalg.svd(U[:, :H])[1]
    assert gate[-1] < 0.3 and gate[0] < 0.999


def test_keras_opens_the_forget_gate_of_an_lstm_alone():
    i, f, o, g = np.split(start(jr.KerasLSTM(H))["bias"], 4)
    assert np.all(f == 1) and not np.any([i, o, g])
    params = start(jr.KerasGRU(H))
    assert not np.any(params["bias"]) and not np.any(params["recurrent_bias"])


@pytest.mark.parametrize("preset", [jr.TorchLSTM, jr.TorchGRU])
def test_torch_draws_everything_alike(preset):
    params = start(preset(H))
    for weights in params.values():
        uniform(weights, 1 / np.sqrt(H))
    assert params.keys() == {"kernel", "recurrent_kernel", "bias", "recurrent_bias"}


@pytest.mark.parametrize("preset", [jr.TorchLSTM, jr.TorchGRU])
def test_torch_has_two_biases(preset):
    params = start(preset(H))
    assert params["bias"].shape == params["recurrent_bias"].shape
    shared = set(params["bias"]) & set(params["recurrent_bias"])
    assert not shared


def test_the_projection_of_torch_is_drawn_by_the_hidden_size():
    params = start(jr.TorchLSTM(H).replace(projection_size=9))
    uniform(params["projection_kernel"], 1 / np.sqrt(H))


@pytest.mark.parametrize("preset", [jr.KerasGRU, jr.TorchGRU])
def test_their_grus_reset_after_the_product(preset):
    assert (preset(4).reset, preset(4).update) == ("after", "keep")


def test_a_preset_can_be_changed():
    cell = jr.KerasLSTM(4).replace(coupled=True, dtype="bfloat16")
    assert cell.kernel_init == Whole(GlorotUniform()) and cell.gates == "fog"
