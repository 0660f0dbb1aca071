"""A model as an ONNX graph."""

import os
from typing import Any

import jax
import numpy as np

from jaxrnn.cell import Cell
from jaxrnn.files.whole import write as write_file
from jaxrnn.interop.gates import check_params, input_size_of
from jaxrnn.interop.onnx.build import Build, weights
from jaxrnn.interop.onnx.nodes import add
from jaxrnn.typing import PyTree


def write(
    cell: Cell,
    params: PyTree,
    path: str | os.PathLike[str] | None = None,
    *,
    lengths: bool = False,
    carry: bool = False,
) -> Any:
    """A model for other people's runtimes, of ONNX's own operators.

    ::

      xs [T, B, input_size], or ids [T, B]  ->  ys [T, B, output_size]

    The graph computes what `unroll(cell, params, xs)` does, for any T and B, without
    a key, so that dropout is left out. `LSTM`, `GRU` and `Elman` become the operators
    LSTM, GRU and RNN; `Stack`, `Bidirectional`, `Reverse`, `Residual`, `LearnedCarry`,
    `Embed`, `OneHot`, `Dense`, `LayerNorm`, `Dropout` and `Map` what stands around.

    Args:
      cell: the model.
      params: its parameters. Half precision is written as float32, which runtimes know:
        float16 and bfloat16 of `unroll` differ from it by their roundings. Float64 is
        written as it is, though onnxruntime has no such LSTM.
      path: where to write it as well; what was there is replaced as a whole.
      lengths: the graph has an input `lengths` `[B]`, int32, and its outputs are zero
        at padded steps. (The last states of rows of length 0, which ONNX does not
        tell, onnxruntime makes 0.)
      carry: initial states are inputs, such as `carry/0/hidden` `[B, H]`, and the last
        ones outputs, `last/0/hidden`, named by their places in the carry.

    Returns:
      An `onnx.ModelProto`.

    Raises:
      ValueError: for a cell, a field or a function that ONNX has no counterpart of,
        with its place; for parameters of another cell, with every difference.
      ImportError: without the package `onnx`.

    References:
      ONNX, opset 17.

    Example:
      >>> import jaxrnn as jr
      >>> model = jr.Stack(jr.Embed(9, 4), jr.LSTM(5), jr.Dense(9))
      >>> params = model.init(jax.random.key(0))
      >>> [node.op_type for node in write(model, params).graph.node]
      ['Gather', 'LSTM', 'Squeeze', 'MatMul', 'Add', 'Identity']
    """
    try:
        import onnx as onnx
    except ImportError as error:
        raise ImportError(
            "ONNX files need the package onnx: pip install 'jaxrnn[onnx]'"
        ) from error
    check_params(cell, params)
    size: Any = input_size_of(params)
    dtypes = [weights(leaf).dtype for leaf in jax.tree.leaves(params)]
    dtype = np.result_type(np.float32, *dtypes)
    build, ids = Build(dtype, carried=carry), cell.input_ndim == 0
    shape = ("T", "B") if ids else ("T", "B", size or "features")
    xs = build.input("xs", np.int64 if ids else dtype, shape)
    real = _mask(build, xs) if lengths else ""
    if lengths:
        xs = _where(build, real, xs, np.int64 if ids else dtype, rank=len(shape))
    ys = add(build, cell, params, xs, "")
    if lengths:
        ys = _where(build, real, ys, dtype, rank=3)
    known = ids or size is not None
    features: Any = cell.output_size(None if ids else size) if known else "features"
    build.output(ys, "ys", dtype, ("T", "B", features))
    model = build.model()
    if path is not None:
        write_file(path, model.SerializeToString())
    return model


def _mask(build: Build, xs: str) -> str:
    """`[T, B]`, true at the steps below `lengths`, which becomes an input."""
    build.lengths = build.input("lengths", np.int32, ("B",))
    number = lambda n: build.constant(np.int64(n))
    steps = build.add("Gather", build.add("Shape", xs), number(0))
    step = build.add("Range", number(0), steps, number(1))
    step = build.add("Unsqueeze", step, build.constant(np.array([1])))
    return build.add("Less", step, build.add("Cast", build.lengths, to=7))  # int64


def _where(build: Build, real: str, value: str, dtype: Any, *, rank: int) -> str:
    """Zeros at padded steps."""
    if rank == 3:
        real = build.add("Unsqueeze", real, build.constant(np.array([2])))
    return build.add("Where", real, value, build.constant(np.zeros((), dtype)))
