"""Graphs that look like ours and compute something else are refused."""

import itertools

import numpy as np
import pytest

from interop.onnx_cases import graph
from jaxrnn.interop import onnx as interop

onnx = pytest.importorskip("onnx")

B, H, N = 2, 2, 3
rng = np.random.default_rng(0)
normal = lambda *shape: rng.normal(size=shape).astype(np.float32)
INT, INT64 = 6, 7
XS, LENGTHS = ("x", ["T", B, N]), ("n", [B], INT)
WEIGHTS = {
    **{"W": normal(1, 4 * H, N), "R": normal(1, 4 * H, H), "V": normal(1, 4 * H, H)},
    **{"W2": normal(2, 4 * H, N), "R2": normal(2, 4 * H, H), "K": normal(N, H)},
    **{"k": normal(H), "one": np.array([1]), "last": np.array([2]), "0": np.array(0)},
    **{"1": np.array(1), "zero": np.zeros((), np.float32), "yes": np.array(True)},
    **{"joined": np.array([0, 0, -1]), "first": np.array([0])},
}


def lstm(*rest, x="x", y="Y", kernel="W", recurrent="R", **stated):
    arrays = [x, kernel, recurrent, "", *rest]
    return ("LSTM", arrays, [y], {"hidden_size": H} | stated)


def squeezed(x="Y", y="y"):
    return ("Squeeze", [x, "one"], [y], {})


def model(*nodes, given=(XS, LENGTHS), opset=14, **constants):
    return graph(nodes, given, ["y"], WEIGHTS | constants, opset)


def old(model):
    model.ir_version = 4  # of graphs whose constants are no inputs
    return model


def deep(n=2000):
    names = ["x", *(f"x{i}" for i in range(n)), "y"]
    return model(*(("Relu", [a], [b], {}) for a, b in itertools.pairwise(names)))


def masked(steps, bound, *nodes, to=("one", "last")):
    """One layer, with zeros where steps are not below a bound."""
    return model(
        *(("Cast", ["n"], ["n64"], {"to": INT64}), lstm("n"), squeezed(y="ys")),
        *(("Shape", ["x"], ["size"], {}), ("Gather", ["size", "0"], ["T"], {})),
        *(("Range", ["0", "T", "1"], ["t"], {}), *nodes),
        ("Unsqueeze", [steps, to[0]], ["steps"], {}),
        ("Less", ["steps", bound], ["flat"], {}),
        ("Unsqueeze", ["flat", to[1]], ["real"], {}),
        ("Where", ["real", "ys", "zero"], ["y"], {}),
    )


TWICE = (("x", ["T", B, N]), ("z", ["T", B, N]), LENGTHS)
AFTER = lstm(x="y0", y="Y", kernel="V", direction="reverse")
JOINED = (lstm(kernel="W2", recurrent="R2", direction="bidirectional"),)
JOINED += (("Transpose", ["Y"], ["t"], {"perm": [0, 2, 1, 3]}),)

FAULTS = {
    "lengths behind Identity, constant": (
        lambda: model(
            ("Identity", ["two"], ["m"], {}),
            lstm("m"),
            squeezed(),
            two=np.array([2, 1], np.int32),
        ),
        "\"Y\": `sequence_lens` must be an input, .*'m' is constant or computed",
    ),
    "lengths that are computed": (
        lambda: model(
            ("Sub", ["n", "two"], ["m"], {}),
            lstm("m"),
            squeezed(),
            two=np.array([2, 1], np.int32),
        ),
        "'m' is constant or computed",
    ),
    "lengths that the second layer lacks": (
        lambda: model(lstm("n", y="Y0"), squeezed("Y0", "y0"), AFTER, squeezed()),
        'LSTM node "Y" reads backwards without the `sequence_lens`',
    ),
    "two lengths": (
        lambda: model(
            lstm("n", y="Y0"),
            squeezed("Y0", "y0"),
            lstm("m", x="y0", kernel="V"),
            squeezed(),
            given=(XS, LENGTHS, ("m", [B], INT)),
        ),
        "one input for all nodes, got m, n",
    ),
    "two sequences, added": (
        lambda: model(
            lstm(), squeezed(y="ys"), ("Add", ["ys", "z"], ["y"], {}), given=TWICE
        ),
        "one sequence, got 'x' and 'z'",
    ),
    "two sequences, joined": (
        lambda: model(
            *(lstm(y="Y0"), squeezed("Y0", "y0")),
            *(lstm(x="z", direction="reverse"), squeezed(y="y1")),
            ("Concat", ["y0", "y1"], ["y"], {"axis": -1}),
            given=TWICE,
        ),
        "one sequence, got 'x' and 'z'",
    ),
    "a state that is the first step": (
        lambda: model(
            ("Slice", ["x", "from", "to"], ["h"], {}),
            lstm("", "h", recurrent="R3", kernel="W3", hidden_size=N),
            squeezed(),
            **{"W3": normal(1, 4 * N, N), "R3": normal(1, 4 * N, N)},
            **{"from": np.array([0]), "to": np.array([1])},
        ),
        "`initial_h` must not be computed from x",
    ),
    "rows joined with features": (
        lambda: model(
            *JOINED,
            ("Reshape", ["t", "s"], ["y"], {}),
            s=np.array([0, -1, H]),
        ),
        r"must join directions and features, got the shape \[0, -1, 2\]",
    ),
    "a bias of rows": (
        lambda: model(
            ("MatMul", ["x", "K"], ["xk"], {}),
            ("Add", ["xk", "c"], ["y"], {}),
            c=normal(H, 1),
        ),
        'Add node "y" must add a bias to a product',
    ),
    "a bias after a transposition": (
        lambda: model(
            ("MatMul", ["x", "K"], ["xk"], {}),
            ("Transpose", ["xk"], ["kx"], {"perm": [0, 2, 1]}),
            ("Add", ["kx", "k"], ["y"], {}),
        ),
        'Add node "y" must add a bias to a product',
    ),
    "a norm after a transposition": (
        lambda: model(
            ("Transpose", ["x"], ["t"], {"perm": [0, 2, 1]}),
            ("LayerNormalization", ["t", "k"], ["y"], {}),
            opset=17,
        ),
        "must be over the features alone",
    ),
    "a mask of dropout": (
        lambda: model(("Dropout", ["x"], ["d", "y"], {})),
        'Dropout node "d" must be used for its first output alone',
    ),
    "dropout in training": (
        lambda: model(("Dropout", ["x", "zero", "yes"], ["y"], {})),
        'Dropout node "y" must not be in training mode',
    ),
    "steps that count otherwise": (
        lambda: masked("t2", "n64", ("Mul", ["t", "t"], ["t2"], {})),
        'Where node "y" must put zeros',
    ),
    "another bound than the lengths": (
        lambda: masked("t", "m", ("Sub", ["n64", "1"], ["m"], {})),
        'Where node "y" must put zeros',
    ),
    "steps along the rows": (
        lambda: masked(
            *("t", "m", ("Unsqueeze", ["n64", "one"], ["m"], {})), to=("first", "last")
        ),
        "takes as time what is the batch for another node",
    ),
    "layers of other sizes": (
        lambda: model(
            *(lstm(y="Y0"), squeezed("Y0", "y0")),
            *(lstm(x="y0"), squeezed()),
        ),
        r"1/kernel: expected float32\[2, 8\], got float32\[3, 8\]",
    ),
    "a state of another size": (
        lambda: model(lstm("", "h"), squeezed(), h=normal(1, 1, H + 1)),
        r"`initial_h` must be of 1 directions and size 2, got \[1, 1, 3\]",
    ),
    "a state of another number of directions": (
        lambda: model(
            lstm("", "h", kernel="W2", recurrent="R2", direction="bidirectional"),
            squeezed(),
            h=normal(1, 1, H),
        ),
        "`initial_h` must be of 2 directions",
    ),
    "a clip of 0": (
        lambda: model(lstm(clip=0.0), squeezed()),
        "`clip` must be above 0, got 0.0",
    ),
    "a layout": (
        lambda: model(lstm(layout=2), squeezed()),
        "`layout` must be one of 0, 1, got 2",
    ),
    "functions too many": (
        lambda: model(
            lstm(activations=["Sigmoid", "Tanh", "Tanh", "Relu"]), squeezed()
        ),
        "`activations` must be 3, got",
    ),
    "a GRU with c": (
        lambda: model(("GRU", ["x", "W", "R", "", "", "k", "k"], ["y"], {})),
        "no ONNX file that is valid: .*input size 7",
    ),
    "half a unit": (
        lambda: model(lstm(hidden_size=4.5)),
        "no ONNX file that is valid: Mismatched attribute type",
    ),
    "an alpha that is no list": (
        lambda: model(lstm(activation_alpha=0.5)),
        "no ONNX file that is valid: Mismatched attribute type",
    ),
    "an axis that is not there": (
        lambda: model(lstm(), ("Squeeze", ["Y", "9"], ["y"], {}), **{"9": [9]}),
        "must take away the axis of one direction",
    ),
    "an order of other axes": (
        lambda: model(("Transpose", ["x"], ["y"], {"perm": [0, 1, 7]})),
        r"must order 3 axes, got \[0, 1, 7\]",
    ),
    "an old opset": (
        lambda: old(model(("MatMul", ["x", "K"], ["y"], {}), opset=6)),
        "the opset must be at least 7, got 6",
    ),
    "a circle": (
        lambda: model(("Relu", ["b"], ["a"], {}), ("Relu", ["a"], ["b"], {})),
        "no ONNX file that is valid: Nodes in a graph must be topologically sorted",
    ),
    "too deep": (deep, "too many nodes one behind another"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_computes_something_else_is_refused(fault):
    make, words = FAULTS[fault]
    with pytest.raises(ValueError, match=words):
        interop.read(make())


READ = {
    "lengths in another dtype": lambda: model(
        *(("Cast", ["n"], ["m"], {"to": INT}), lstm("m", direction="reverse")),
        squeezed(),
        given=(XS, ("n", [B], INT64)),
    ),
    "lengths for the first layer, read forwards": lambda: model(
        *(lstm("n", y="Y0", direction="reverse"), squeezed("Y0", "y0")),
        *(lstm(x="y0", kernel="V"), squeezed()),
    ),
    "zeros behind the lengths": lambda: masked("t", "n64"),
    "directions joined": lambda: model(
        *JOINED, ("Reshape", ["t", "joined"], ["y"], {})
    ),
    "dropout at rest": lambda: model(
        *(lstm(), squeezed(y="ys")),
        ("Dropout", ["ys", "zero", "no"], ["y"], {}),
        no=np.array(False),
    ),
}


@pytest.mark.parametrize("name", READ)
def test_what_is_much_like_it_is_read(name):
    cell, _ = interop.read(READ[name]())
    assert cell.has_memory


def test_constants_behind_others_are_constants():
    _, params = interop.read(
        model(
            *(("Identity", ["W"], ["W1"], {}), ("Cast", ["W1"], ["W64"], {"to": 11})),
            *(("Cast", ["R"], ["R64"], {"to": 11}), ("Identity", ["k"], ["c"], {})),
            *(lstm(kernel="W64", recurrent="R64"), squeezed(y="ys")),
            *(("MatMul", ["ys", "M"], ["yM"], {}), ("Add", ["c", "yM"], ["y"], {})),
            M=normal(H, H),
        )
    )
    assert params[0]["kernel"].dtype == np.float64
    np.testing.assert_array_equal(params[1]["bias"], WEIGHTS["k"])
