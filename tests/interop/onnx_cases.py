"""ONNX models of one recurrent node, and their numbers by different roads."""

import numpy as np

import jaxrnn as jr
from interop.oracle_onnx import DEFAULTS, HAS_ALPHA, HAS_BETA
from jaxrnn.interop import onnx as ours

INPUTS = {
    "LSTM": ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"),
    "GRU": ("X", "W", "R", "B", "sequence_lens", "initial_h"),
    "RNN": ("X", "W", "R", "B", "sequence_lens", "initial_h"),
}
WEIGHTS = ("W", "R", "B", "P")
OUTPUTS = {"LSTM": ("Y", "Y_h", "Y_c"), "GRU": ("Y", "Y_h"), "RNN": ("Y", "Y_h")}
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def model_of(name, attributes, arrays, opset=14):
    """A model of one node: its weights are constant, the rest is given."""
    from onnx import helper, numpy_helper

    value = lambda key, array: helper.make_tensor_value_info(
        key, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
    )
    names = [key if key in arrays else "" for key in INPUTS[name]]
    node = helper.make_node(name, names, OUTPUTS[name], **attributes)
    graph = helper.make_graph(
        [node],
        "one_node",
        [value(k, a) for k, a in arrays.items() if k not in WEIGHTS],
        [
            helper.make_tensor_value_info(
                key, helper.np_dtype_to_tensor_dtype(arrays["X"].dtype), None
            )
            for key in OUTPUTS[name]
        ],
        [numpy_helper.from_array(a, k) for k, a in arrays.items() if k in WEIGHTS],
    )
    imports = [helper.make_opsetid("", opset)]
    version = helper.find_min_ir_version_for(imports)
    return helper.make_model(graph, opset_imports=imports, ir_version=version)


def graph(nodes, given, made, constants, opset=14):
    """A model of several nodes, each `(operator, inputs, outputs, attributes)`."""
    from onnx import TensorProto, helper, numpy_helper

    value = lambda name, shape, kind=TensorProto.FLOAT: helper.make_tensor_value_info(
        name, kind, shape
    )
    body = helper.make_graph(
        [helper.make_node(op, i, o, **a) for op, i, o, a in nodes],
        "graph",
        [value(*entry) for entry in given],
        [value(name, None) for name in made],
        [numpy_helper.from_array(np.asarray(a), k) for k, a in constants.items()],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    version = helper.find_min_ir_version_for(imports[:1])
    return helper.make_model(body, opset_imports=imports, ir_version=version)


def by_unroll(model, arrays, layout=0):
    """Y, Y_h and, of an LSTM, Y_c, in ONNX's shapes, by what `read` made of a model."""
    cell, params = ours.read(model)
    carry = None
    X = arrays["X"].swapaxes(0, 1) if layout else arrays["X"]
    if "initial_h" in arrays:
        states = [arrays[k] for k in ("initial_h", "initial_c") if k in arrays]
        states = [s.swapaxes(0, 1) if layout else s for s in states]
        carry = ours.read_carry(cell, tuple(states) if len(states) > 1 else states[0])
    lengths = arrays.get("sequence_lens")
    last, ys = jr.unroll(cell, params, X, carry, lengths=lengths)
    states = ours.write_carry(cell, last)
    states = list(states) if isinstance(states, tuple) else [states]
    T, B, _ = ys.shape
    D, _, H = states[0].shape
    Y = np.asarray(ys).reshape(T, B, D, H)
    if layout:
        return [Y.swapaxes(0, 1), *(s.swapaxes(0, 1) for s in states)]
    return [Y.swapaxes(1, 2), *states]


def by_onnxruntime(model, arrays):
    """All outputs of a model, by onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    given = {i.name for i in session.get_inputs()}
    return session.run(None, {k: a for k, a in arrays.items() if k in given})


def draw(seed):
    """One of many random nodes: `(name, attributes, arrays)`, in float64."""
    rng = np.random.default_rng(seed)
    name = ("LSTM", "GRU", "RNN")[seed % 3]
    coin = lambda: bool(rng.random() < 0.5)
    direction = ("forward", "reverse", "bidirectional")[rng.integers(3)]
    D, G, (T, B, n, H) = (
        1 + (direction == "bidirectional"),
        GATES[name],
        rng.permutation([2, 3, 4, 5]),
    )
    attributes = {"hidden_size": int(H), "direction": direction, "layout": int(coin())}
    if name == "LSTM":
        attributes["input_forget"] = int(coin())
    if name == "GRU":
        attributes["linear_before_reset"] = int(coin())
    if coin():
        attributes["clip"] = float(rng.choice([0.3, 0.8, 2.0]))
    if coin():
        attributes |= _functions(rng, name, D, attributes.get("input_forget"))
    normal = lambda *shape: rng.normal(size=shape) / 2
    arrays = {
        "X": normal(T, B, n),
        "W": normal(D, G * H, n),
        "R": normal(D, G * H, H),
    }
    if coin():
        arrays["B"] = normal(D, 2 * G * H)
    if coin():
        arrays["sequence_lens"] = rng.integers(0, T + 1, B).astype(np.int32)
    if coin():
        for key in ("initial_h", "initial_c")[: 1 + (name == "LSTM")]:
            arrays[key] = normal(D, B, H)
    if name == "LSTM" and coin():
        arrays["P"] = normal(D, 3 * H)
    if attributes["layout"]:
        for key in ("X", "initial_h", "initial_c"):
            if key in arrays:
                arrays[key] = arrays[key].swapaxes(0, 1)
    return name, attributes, arrays


def _functions(rng, name, directions, coupled):
    names = ["Relu", "Tanh", "Sigmoid", "Softsign", "Softplus", *HAS_ALPHA]
    chosen, alpha, beta = [], [], []
    for number in range(directions * len(DEFAULTS[name])):
        gate = name != "RNN" and number % len(DEFAULTS[name]) == 0
        one = rng.choice(["Sigmoid", "HardSigmoid"] if coupled and gate else names)
        chosen.append(str(one))
        if one in HAS_ALPHA:
            alpha.append(round(float(rng.uniform(0.1, 0.9)), 2))
        if one in HAS_BETA:
            beta.append(0.5 if gate else round(float(rng.uniform(0.1, 0.9)), 2))
    stated = {"activations": chosen}
    stated |= {"activation_alpha": alpha} if alpha else {}
    return stated | ({"activation_beta": beta} if beta else {})
