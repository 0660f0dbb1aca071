"""`jaxrnn convert`: files of others in, a file of ours out."""

import os
import pickle

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

import jaxrnn as jr
from interop.weights import torch_weights
from jaxrnn.__main__ import main
from laws.harness import same_bits

pytestmark = [
    pytest.mark.usefixtures("as_a_user_runs_it"),
    pytest.mark.filterwarnings("ignore:__array__ implementation"),  # Keras, of NumPy 2
]


def complaint(capsys, *words):
    assert main(["convert", *map(str, words)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("jaxrnn: ") and err.count("\n") == 1, err
    return err.removeprefix("jaxrnn: ").rstrip("\n")


def test_a_state_dict_becomes_a_model(tmp_path, capsys):
    weights = torch_weights(3, layers=2)
    save_file(weights, tmp_path / "torch.safetensors")
    assert main(["convert", "torch.safetensors", "ours.safetensors"]) == 0
    assert "GRU(5, reset='after', recurrent_bias=True)" in capsys.readouterr().out
    cell, params = jr.load("ours.safetensors")
    same_bits((cell, params)[1], jr.interop.torch.read(weights)[1])


def test_a_part_of_a_module_is_found_by_its_prefix(tmp_path, capsys):
    weights = {f"rnn.{name}": w for name, w in torch_weights().items()}
    save_file(weights | {"head.weight": np.ones((2, 5))}, tmp_path / "all.safetensors")
    said = complaint(capsys, "all.safetensors", "ours.safetensors")
    assert said.startswith("all.safetensors: `weight_hh_l0` must be a matrix")
    said = complaint(capsys, "all.safetensors", "ours.safetensors", "--prefix=lm.")
    assert said.startswith("all.safetensors: no name begins with 'lm.'; there are ")
    words = ["all.safetensors", "ours.safetensors", "--prefix=rnn.", "--sum-biases"]
    assert main(["convert", *words]) == 0
    assert jr.load("ours.safetensors")[0] == jr.LSTM(5)


def test_every_difference_is_told_in_one_line(tmp_path, capsys):
    weights = torch_weights()
    weights |= {"bias_ih_l0": np.ones(3, "float32"), "more": np.ones(2, "float32")}
    save_file(weights, tmp_path / "torch.safetensors")
    said = complaint(capsys, "torch.safetensors", "ours.safetensors")
    assert "bias_ih_l0: expected float32[20], got float32[3]" in said
    assert "more: expected nothing, got float32[2]" in said


def test_what_is_no_such_file_is_told(tmp_path, capsys):
    said = complaint(capsys, "model.h5", "ours.safetensors")
    assert said.startswith("model.h5: the name must end in one of .safetensors, .pt")
    said = complaint(capsys, "none.safetensors", "ours.safetensors")
    assert said == "none.safetensors: No such file or directory"
    (tmp_path / "bad.safetensors").write_bytes(b"not one")
    said = complaint(capsys, "bad.safetensors", "ours.safetensors")
    assert said == "bad.safetensors: no safetensors file, or cut short or damaged"


class Hostile:
    def __reduce__(self):
        return os.mkdir, ("run",)


@pytest.mark.parity
def test_a_hostile_pickle_is_never_run(tmp_path, capsys):
    torch = pytest.importorskip("torch")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Hostile()))
    torch.save({"weight_hh_l0": Hostile()}, tmp_path / "zip.pt")
    for name in ("plain.pt", "zip.pt"):
        said = complaint(capsys, name, "ours.safetensors")
        assert "torch loads without running code" in said
    assert not (tmp_path / "run").exists() and not (tmp_path / "ours").exists()


@pytest.mark.parity
def test_torchs_own_files_are_read(tmp_path):
    torch = pytest.importorskip("torch")
    module = torch.nn.LSTM(3, 5, bidirectional=True)
    torch.save(module.state_dict(), tmp_path / "model.pt")
    assert main(["convert", "model.pt", "ours.safetensors"]) == 0
    cell, params = jr.load("ours.safetensors")
    assert cell == jr.Bidirectional(jr.LSTM(5, recurrent_bias=True))
    same_bits(params, jr.interop.torch.read(module)[1])


@pytest.mark.parity
def test_keras_own_files_are_read(tmp_path):
    from interop.peers import keras_peer

    keras = keras_peer.keras()
    model = keras.Sequential([keras.layers.Embedding(7, 3), keras.layers.GRU(5)])
    model(np.zeros((2, 4), int))
    model.save(tmp_path / "model.keras")
    assert main(["convert", "model.keras", "ours.safetensors"]) == 0
    cell, params = jr.load("ours.safetensors")
    assert cell.cells[1] == jr.GRU(5, "after", recurrent_bias=True)
    for ours, theirs in zip(
        jr.interop.keras.write(cell, params), model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert jax.tree.leaves(params)
