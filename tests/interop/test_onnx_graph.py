"""Graphs of several nodes as exporters write them, and those that cannot be read."""

import numpy as np
import pytest

import jaxrnn as jr
from interop.onnx_cases import graph, model_of
from jaxrnn.interop import onnx as interop

pytest.importorskip("onnx")


def exported(batch_first=True):
    """A two-layer LSTM of both directions and a linear layer, as torch writes it."""
    rng = np.random.default_rng(0)
    normal = lambda *shape: rng.normal(size=shape).astype(np.float32)
    H, n = 4, 3
    constants = {
        **{f"W{i}": normal(2, 4 * H, size) for i, size in enumerate((n, 2 * H))},
        **{f"R{i}": normal(2, 4 * H, H) for i in range(2)},
        **{f"B{i}": normal(2, 8 * H) for i in range(2)},
        "V": normal(2 * H, 5),
        "c": normal(5),
        "zero": np.zeros(1, np.float32),
        "states": np.array([2, 1, H]),
        "joined": np.array([0, 0, -1]),
    }
    nodes, x = [], "x"
    if batch_first:
        nodes.append(("Transpose", [x], ["x_t"], {"perm": [1, 0, 2]}))
        x = "x_t"
    nodes.append(("Expand", ["zero", "states"], ["start"], {}))
    options = {"hidden_size": H, "direction": "bidirectional"}
    for i in range(2):
        arrays = [x, f"W{i}", f"R{i}", f"B{i}", "", "start", "start"]
        nodes += [
            ("LSTM", arrays, [f"Y{i}", f"h{i}", f"c{i}"], options),
            ("Transpose", [f"Y{i}"], [f"t{i}"], {"perm": [0, 2, 1, 3]}),
            ("Reshape", [f"t{i}", "joined"], [f"y{i}"], {}),
        ]
        x = f"y{i}"
    nodes.append(("Concat", ["h0", "h1"], ["h_n"], {"axis": 0}))
    if batch_first:
        nodes.append(("Transpose", [x], ["back"], {"perm": [1, 0, 2]}))
        x = "back"
    nodes += [
        ("MatMul", [x, "V"], ["product"], {}),
        ("Add", ["c", "product"], ["logits"], {}),
        ("Softmax", ["logits"], ["ys"], {"axis": 2}),
    ]
    given = [("x", ["B", "T", n] if batch_first else ["T", "B", n])]
    return graph(nodes, given, ["ys", "h_n"], constants)


@pytest.mark.slow
@pytest.mark.parametrize("batch_first", [True, False])
def test_an_exported_stack_is_read(batch_first):
    model = exported(batch_first)
    cell, params = interop.read(model)
    assert cell == jr.Stack(
        *[jr.Bidirectional(jr.LSTM(4, recurrent_bias=True))] * 2,
        jr.Dense(5),
        jr.Map("softmax"),
    )
    pytest.importorskip("onnxruntime")
    from interop.onnx_cases import by_onnxruntime

    x = np.random.default_rng(1).normal(size=(1, 7, 3) if batch_first else (7, 1, 3))
    x = x.astype(np.float32)
    ys, _ = by_onnxruntime(model, {"x": x})
    _, got = jr.unroll(cell, params, x, time_axis=int(batch_first))
    np.testing.assert_allclose(got, ys, rtol=1e-5, atol=1e-5)


def test_constant_states_are_learned_ones():
    normal = np.random.default_rng(5).normal
    H, n = 3, 2
    arrays = {"W": normal(size=(1, 4 * H, n)), "R": normal(size=(1, 4 * H, H))}
    start = np.repeat(normal(size=(1, 1, H)), 2, axis=1)
    nodes = [("LSTM", ["X", "W", "R", "", "", "h"], ["Y"], {"hidden_size": H})]
    model = graph(nodes, [("X", ["T", 2, n], 11)], ["Y"], arrays | {"h": start})
    cell, params = interop.read(model)
    assert cell == jr.LearnedCarry(jr.LSTM(H))
    np.testing.assert_array_equal(params["carry"][0], start[0, 0])
    assert not params["carry"][1].any()


def changed(*, attributes=(), arrays=(), nodes=None):
    """A good model of one LSTM, and what is wrong in it."""
    normal = np.random.default_rng(6).normal
    good = {
        "X": normal(size=(5, 2, 3)),
        "W": normal(size=(1, 16, 3)),
        "R": normal(size=(1, 16, 4)),
    }
    stated = {"hidden_size": 4} | dict(attributes)
    return model_of("LSTM", stated, good | dict(arrays))


def simple(nodes, constants=(), shape=("T", "B", 3)):
    return graph(nodes, [("x", shape)], ["y"], dict(constants))


KERNEL = {"K": np.ones((3, 2), np.float32)}
LSTM = {"W": np.ones((1, 8, 3), np.float32), "R": np.ones((1, 8, 2), np.float32)}
FAULTS = {
    "wrong shapes, each": (
        lambda: changed(
            arrays={"B": np.ones((1, 30)), "R": np.ones((1, 16, 5)), "P": np.ones(12)}
        ),
        r"R: expected float64\[1, 16, 4\], got float64\[1, 16, 5\]"
        r"(.|\n)*B: expected float64\[1, 32\](.|\n)*P: expected float64\[1, 12\]",
    ),
    "whole numbers": (
        lambda: changed(arrays={"W": np.ones((1, 16, 3), np.int32)}),
        r"W: expected .*got int32",
    ),
    "an unknown function": (
        lambda: changed(attributes={"activations": ["Sigmoid", "Swish", "Tanh"]}),
        "LSTM node \"Y\".*`activations` must be of Relu, .*got 'Swish'",
    ),
    "too few functions": (
        lambda: changed(attributes={"activations": ["Sigmoid"]}),
        "`activations` must be 3",
    ),
    "an alpha too many": (
        lambda: changed(attributes={"activation_alpha": [0.5]}),
        "`activation_alpha` holds 1 values more",
    ),
    "no alpha": (
        lambda: changed(attributes={"activations": ["Sigmoid", "ScaledTanh", "Tanh"]}),
        "`activation_alpha` of ScaledTanh must be stated",
    ),
    "gates that cannot be coupled": (
        lambda: changed(
            attributes={"input_forget": 1, "activations": ["Relu", "Tanh", "Tanh"]}
        ),
        "`input_forget=1` with `gate_activation='relu'`",
    ),
    "an unknown attribute": (
        lambda: changed(attributes={"output_sequence": 1}),
        "Unrecognized attribute: output_sequence for operator LSTM",
    ),
    "a direction": (
        lambda: changed(attributes={"direction": "sideways"}),
        "`direction` must be one of",
    ),
    "an unknown operator": (
        lambda: simple([("Conv", ["x", "K"], ["y"], {})], KERNEL),
        'Conv node "y" has no counterpart; known are Add, ',
    ),
    "another domain": (
        lambda: simple([("LSTM", ["x"], ["y"], {"domain": "com.microsoft"})]),
        'LSTM node "y" has no counterpart',
    ),
    "weights that are computed": (
        lambda: simple(
            [
                ("Neg", ["W"], ["V"], {}),
                ("LSTM", ["x", "V", "R"], ["y"], {"hidden_size": 2}),
            ],
            LSTM,
        ),
        "`W` must be constant, got 'V'",
    ),
    "a state that goes on": (
        lambda: simple(
            [
                ("LSTM", ["x", "W", "R"], ["Y", "h"], {"hidden_size": 2}),
                ("Relu", ["h"], ["y"], {}),
            ],
            LSTM,
        ),
        'the last state of LSTM node "Y"',
    ),
    "a state of the input": (
        lambda: simple(
            [
                ("Tanh", ["x"], ["h"], {}),
                ("LSTM", ["x", "W", "R", "", "", "h"], ["y"], {"hidden_size": 2}),
            ],
            LSTM,
        ),
        "`initial_h` must not be computed from x",
    ),
    "a sum with a constant": (
        lambda: simple([("Add", ["x", "K"], ["y"], {})], KERNEL),
        'Add node "y" must add a bias to a product',
    ),
    "zeros elsewhere": (
        lambda: simple(
            [("Cast", ["x"], ["b"], {"to": 9}), ("Where", ["b", "x", "z"], ["y"], {})],
            {"z": np.zeros((), np.float32)},
        ),
        'Where node "y" must put zeros',
    ),
    "one step": (
        lambda: simple([("Tanh", ["x"], ["y"], {})], shape=("B",)),
        "'x' must have the axes",
    ),
    "nothing": (lambda: simple([("Identity", ["x"], ["y"], {})]), "has no layer"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_read_is_named(fault):
    make, words = FAULTS[fault]
    with pytest.raises(ValueError, match=words):
        interop.read(make())


def test_files_that_are_none(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x80\x04cposix\nsystem\n")
    with pytest.raises(ValueError, match="no ONNX file"):
        interop.read(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="no ONNX file"):
        interop.read(path)
    with pytest.raises(TypeError, match="`source` must be a path"):
        interop.read(3)
    with pytest.raises(FileNotFoundError):
        interop.read(tmp_path / "nowhere.onnx")
