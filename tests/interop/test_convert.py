"""`jaxrnn convert`: files of others in, a file of ours out."""

import json
import os
import pickle
import sys
import zipfile

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


@pytest.mark.parametrize(
    "words, message",
    [
        (["torch.safetensors", ""], "OUT must be the name of a file, got ''"),
        (["torch.safetensors", "./torch.safetensors"], "OUT is FILE, which stays"),
        (["torch.safetensors", "link.safetensors"], "OUT is FILE, which stays"),
        (["torch.safetensors", "folder"], "folder: Is a directory"),
        (["torch.safetensors", "pipe"], "pipe: Is no regular file"),
        (["torch.safetensors", "none/ours"], "none/ours: No such file or directory"),
        (["torch.safetensors", "text.pt/ours"], "text.pt/ours: Not a directory"),
        (["some.keras", "ours", "--prefix=a."], "--prefix is of a state_dict"),
        (["some.onnx", "ours", "--prefix=a."], "--prefix is of a state_dict"),
        (["some.onnx", "ours", "--sum-biases"], "--sum-biases is of a model of torch"),
        (["odd.safetensors", "ours"], "'w' is of the dtype F8_E4M3, which JAX has not"),
        (["text.keras", "ours"], "text.keras: no .keras file, or cut short or damaged"),
        (["bare.keras", "ours"], "bare.keras: no .keras file, or cut short or damaged"),
        (["folder.keras", "ours"], "folder.keras: Is a directory"),
        (["none.keras", "ours"], "none.keras: No such file or directory"),
    ],
)
def test_words_and_files_that_are_wrong(words, message, tmp_path, capsys):
    weights = torch_weights()
    save_file(weights, "torch.safetensors")
    before = (tmp_path / "torch.safetensors").read_bytes()
    os.symlink("torch.safetensors", "link.safetensors")
    os.mkfifo("pipe")
    for name in ("folder", "folder.keras"):
        (tmp_path / name).mkdir()
    for name in ("text.pt", "text.keras"):
        (tmp_path / name).write_text("not one")
    with zipfile.ZipFile("bare.keras", "w") as file:
        file.writestr("other.json", "{}")
    header = b'{"w":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}'
    odd = len(header).to_bytes(8, "little") + header + b"\0"
    (tmp_path / "odd.safetensors").write_bytes(odd)
    assert message in complaint(capsys, *words)
    assert (tmp_path / "torch.safetensors").read_bytes() == before
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_link_stays_one(tmp_path):
    save_file(torch_weights(), "torch.safetensors")
    (tmp_path / "far").mkdir()
    os.symlink("far/model", "ours")
    assert main(["convert", "torch.safetensors", "ours"]) == 0
    assert os.path.islink("ours") and jr.load("far/model")[0].hidden_size == 5


def test_bfloat16_is_read():
    weights = {name: w.astype("bfloat16") for name, w in torch_weights().items()}
    header, data = {}, b""
    for name, w in weights.items():
        ends = [len(data), len(data) + w.nbytes]
        header[name] = {"dtype": "BF16", "shape": w.shape, "data_offsets": ends}
        data += w.tobytes()
    text = json.dumps(header).encode()
    with open("half.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data)
    assert main(["convert", "half.safetensors", "ours"]) == 0
    same_bits(jr.load("ours")[1], jr.interop.torch.read(weights)[1])


@pytest.mark.parametrize("name", ["torch", "keras"])
def test_a_missing_peer_names_the_extra(name, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    file = {"torch": "model.pt", "keras": "model.keras"}[name]
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", "{}")
    assert complaint(capsys, file, "ours").endswith("pip install 'jaxrnn[parity]'")


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
    assert not list(tmp_path.glob("run")) + list(tmp_path.glob("ours*"))


@pytest.mark.parity
def test_damaged_files_of_torch_are_told(tmp_path, capsys):
    torch = pytest.importorskip("torch")
    torch.save({0: torch.ones(2)}, "numbers.pt")
    assert complaint(capsys, "numbers.pt", "ours") == (
        "numbers.pt: the names of a state_dict must be strings, got 0"
    )
    assert complaint(capsys, "numbers.pt", "ours", "--prefix=a.").endswith("are 0")
    whole = (tmp_path / "numbers.pt").read_bytes()
    contents = {"empty": b"", "cut": whole[: len(whole) // 2], "text": b"not one"}
    for name, content in contents.items():
        (tmp_path / f"{name}.pt").write_bytes(content)
        assert complaint(capsys, f"{name}.pt", "ours") == (
            f"{name}.pt: not a state_dict that torch loads without running code of the "
            "file's, or cut short or damaged"
        )


@pytest.mark.parity
def test_damaged_files_of_keras_are_told(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    with zipfile.ZipFile("bad.keras", "w") as file:
        file.writestr("config.json", "{}")
    assert complaint(capsys, "bad.keras", "ours").startswith("bad.keras: not a model t")
    assert os.environ.pop("KERAS_BACKEND") == "jax"


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
