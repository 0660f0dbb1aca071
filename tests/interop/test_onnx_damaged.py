"""Damaged files end in a ValueError or a TypeError, whatever the damage."""

import numpy as np
import pytest

import jaxrnn as jr
from interop.test_onnx_write import trained
from jaxrnn.__main__ import main
from jaxrnn.interop import onnx as interop

onnx = pytest.importorskip("onnx")

CELL = jr.Stack(jr.Embed(5, 2), jr.Reverse(jr.Elman(2)), jr.Dense(3))


def read_damaged(seeds, path):
    """How many of the files with one byte changed can be read; others are refused."""
    whole = interop.write(CELL, trained(CELL), lengths=True).SerializeToString()
    read = 0
    for seed in seeds:
        rng, damaged = np.random.default_rng(seed), bytearray(whole)
        damaged[rng.integers(len(whole))] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            interop.read(path)
            read += 1
        except (ValueError, TypeError) as error:
            assert type(error) in (ValueError, TypeError), seed
    return read


def test_one_byte_changed_is_told_or_read(tmp_path):
    assert 0 < read_damaged(range(30), tmp_path / "model.onnx") < 30


@pytest.mark.slow
def test_more_bytes_changed_are_told_or_read(tmp_path):
    assert read_damaged(range(30, 600), tmp_path / "model.onnx")


@pytest.mark.usefixtures("as_a_user_runs_it")
def test_a_damaged_file_is_told_in_one_line(tmp_path, capsys):
    (tmp_path / "q.onnx").write_bytes(b"\x80\x04cposix\nsystem\n")
    (tmp_path / "e.onnx").write_bytes(b"")
    for name in ("q.onnx", "e.onnx"):
        assert main(["convert", name, "o.safetensors"]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.startswith(f"jaxrnn: {name}: ")
        assert "no ONNX file" in err and err.count("\n") == 1
