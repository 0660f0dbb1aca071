"""What torch's own exporter once wrote is read, and gives what torch gave."""

import numpy as np
import pytest

import jaxrnn as jr
from interop.record_onnx import FILE, MODELS

onnx = pytest.importorskip("onnx")

TWICE = jr.Bidirectional(jr.LSTM(4, recurrent_bias=True))
RELU = jr.Elman(4, activation="relu", recurrent_bias=True)
CELLS = {
    "lstm": (TWICE, TWICE),
    "gru": (jr.GRU(4, reset="after", recurrent_bias=True),),
    "rnn": (RELU, RELU),
}


@pytest.mark.parametrize(
    "name",
    [n if n == "lstm" else pytest.param(n, marks=pytest.mark.slow) for n in MODELS],
)
def test_torch_exports_are_read(name):
    with np.load(FILE) as file:
        model, x, y = (file[f"{name}:{key}"] for key in ("model", "x", "y"))
    cell, params = jr.interop.onnx.read(onnx.load_from_string(model.tobytes()))
    assert cell == jr.Stack(jr.Embed(11, 3), *CELLS[name], jr.Map("relu"), jr.Dense(5))
    axis = int(MODELS[name][1].get("batch_first", False))
    _, ys = jr.unroll(cell, params, x.astype(np.int32), time_axis=axis)
    np.testing.assert_allclose(ys, y, rtol=1e-5, atol=1e-6)
