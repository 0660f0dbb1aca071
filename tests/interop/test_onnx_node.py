"""One recurrent node of ONNX: the package's own cases, and many random ones."""

import numpy as np
import pytest

from interop.onnx_cases import by_onnxruntime, by_unroll, draw, model_of
from interop.oracle_onnx import run

pytest.importorskip("onnx")


def published():
    """The 18 cases of the `onnx` package: `(name, node, inputs, outputs)`."""
    from onnx.backend.test.case.node import gru, lstm, rnn

    cases = []
    for module, operator in ((lstm, "LSTM"), (gru, "GRU"), (rnn, "RNN")):
        usual = module.expect
        module.expect = lambda node, inputs, outputs, name: cases.append(
            (name, node, inputs, outputs)
        )
        exports = getattr(module, operator)
        for export in dir(exports):
            if export.startswith("export"):
                getattr(exports, export)()
        module.expect = usual
    return cases


def attributes_of(node):
    from jaxrnn.interop.onnx.graph import attributes

    return attributes(node)


def pass_(cases):
    for name, node, inputs, outputs in cases:
        stated = attributes_of(node)
        given = [key for key in node.input if key]
        arrays = dict(zip(given, inputs, strict=True))
        model = model_of(node.op_type, stated, arrays)
        got = by_unroll(model, arrays, stated.get("layout", 0))
        got = [value for value, key in zip(got, node.output, strict=False) if key]
        for expected, value in zip(outputs, got, strict=True):
            np.testing.assert_allclose(
                value, expected, rtol=1e-5, atol=1e-6, err_msg=name
            )


def test_published_cases_pass():
    cases = published()
    assert len(cases) == 18
    pass_(chosen(cases, slice(2)))


@pytest.mark.slow
def test_the_other_published_cases_pass():
    pass_(chosen(published(), slice(2, None)))


def chosen(cases, part):
    """Of the cases of each operator those."""
    return [
        case
        for operator in ("LSTM", "GRU", "RNN")
        for case in [c for c in cases if c[1].op_type == operator][part]
    ]


def agree(seeds):
    for seed in seeds:
        name, attributes, arrays = draw(seed)
        model = model_of(name, attributes, arrays)
        got = by_unroll(model, arrays, attributes["layout"])
        expected = run(name, attributes, arrays)
        for key, (a, b) in enumerate(zip(got, expected, strict=True)):
            np.testing.assert_allclose(
                a, b, rtol=1e-10, atol=1e-10, err_msg=f"{seed}, {key}: {attributes}"
            )


def test_a_random_node_equals_the_equations():
    agree(range(1))


@pytest.mark.slow
def test_more_random_nodes_equal_the_equations():
    agree(range(1, 100))


def test_onnxruntime_agrees_where_it_knows_the_attributes():
    pytest.importorskip("onnxruntime")
    compared = 0
    for seed in range(100):
        name, attributes, arrays = draw(seed)
        if attributes.pop("layout"):  # onnxruntime refuses it
            continue
        lengths = arrays.pop("sequence_lens", None)
        arrays = {key: a.astype(np.float32) for key, a in arrays.items()}
        if lengths is not None:
            # It gives rows of length 0 zeros for last states, not their first ones.
            arrays["sequence_lens"] = lengths.clip(1)
        got = by_onnxruntime(model_of(name, attributes, arrays), arrays)
        expected = run(name, attributes, arrays)
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_allclose(
                a, b, rtol=1e-4, atol=1e-5, err_msg=f"{seed}: {name} {attributes}"
            )
        compared += 1
    assert compared > 30
