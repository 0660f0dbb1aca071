"""A model as StableHLO, for a process that has JAX and nothing of this library."""

import io
import os
import zipfile
from collections.abc import Sequence
from typing import Any

import jax
import jax.export
import jax.numpy as jnp

from jaxrnn.cell import Cell
from jaxrnn.files.whole import write
from jaxrnn.product import gate_dtype
from jaxrnn.typing import Array, PyTree, Size
from jaxrnn.unroll import unroll


def save(
    path: str | os.PathLike[str],
    cell: Cell,
    params: PyTree,
    input_size: Size | None = None,
    *,
    platforms: Sequence[str] | None = None,
) -> None:
    """Writes a model's functions, its parameters inside, to one file.

    It is a zip archive with an entry for each of `functions`. To run one::

      import zipfile
      from jax import export

      with zipfile.ZipFile(path) as archive:
          step = export.deserialize(bytearray(archive.read("step")))
      carry, y = step.call(carry, x)

    Args:
      path: of the file; what was there is replaced as a whole.
      cell: the model.
      params: its parameters.
      input_size: of its inputs; None for token ids.
      platforms: where it will run, such as ("cpu", "cuda"); None: where this runs.

    Raises:
      ImportError: without the package `flatbuffers`.
      ValueError: as `functions` does.

    Example:
      >>> import tempfile, jaxrnn as jr
      >>> cell = jr.GRU(4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     save(f"{folder}/model.zip", cell, params, 3)
      ...     zipfile.ZipFile(f"{folder}/model.zip").namelist()
      ['start', 'sequence', 'step']
    """
    try:
        import flatbuffers as flatbuffers
    except ImportError as error:
        raise ImportError(
            "JAX writes functions by flatbuffers: pip install 'jaxrnn[export]'"
        ) from error
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        made = functions(cell, params, input_size, platforms=platforms)
        for name, function in made.items():
            archive.writestr(zipfile.ZipInfo(name), bytes(function.serialize()))
    write(path, file.getvalue())


def functions(
    cell: Cell,
    params: PyTree,
    input_size: Size | None = None,
    *,
    platforms: Sequence[str] | None = None,
) -> dict[str, Any]:
    """A model's functions, of any number of steps T and rows B.

    ::

      carry = start(lengths)  # before the first step
      carry, ys = sequence(carry, xs, lengths)  # as `unroll`
      carry, y = step(carry, x)  # of a cell that can step

    A carry is made of dicts and tuples: where it has named fields, a dict of them. A
    model that needs a `context`, such as one with `Attend`, cannot be exported.

    Args:
      cell: the model.
      params: its parameters, which become part of the functions.
      input_size: of its inputs `xs` `[T, B, input_size]`; None for token ids `[T, B]`,
        int32. `lengths` `[B]` are int32.
      platforms: where they will run; None: where this runs.

    Returns:
      A `jax.export.Exported` by name.

    Raises:
      ValueError: without `input_size` for a cell whose inputs are no token ids, and for
        a model that needs a `context`.

    Example:
      >>> import jaxrnn as jr
      >>> model = jr.Stack(jr.Embed(9, 3), jr.LSTM(4), jr.Dense(9))
      >>> made = functions(model, model.init(jax.random.key(0)))
      >>> lengths = jnp.array([5, 2], jnp.int32)
      >>> carry = made["start"].call(lengths)
      >>> carry, ys = made["sequence"].call(carry, jnp.ones((5, 2), jnp.int32), lengths)
      >>> ys.shape, sorted(carry[1])
      ((5, 2, 9), ['cell', 'hidden'])
    """
    if input_size is None and cell.input_ndim != 0:
        raise ValueError(f"`input_size` is needed: the inputs of {cell} are no ids")
    T, B = jax.export.symbolic_shape("T, B")
    sizes = () if input_size is None else (input_size,)
    size = input_size if isinstance(input_size, tuple) else sizes
    floating = [a.dtype for a in jax.tree.leaves(params) if a.dtype.kind in "fV"]
    dtype = jnp.int32 if cell.input_ndim == 0 else gate_dtype(*floating)
    x = jax.ShapeDtypeStruct((B, *size), dtype)
    xs = jax.ShapeDtypeStruct((T, B, *size), dtype)
    lengths = jax.ShapeDtypeStruct((B,), jnp.int32)

    def begin(rows: Any) -> PyTree:
        ready = cell.prepare(params, input_shape=(*rows.shape, *size))
        return cell.initial_carry(ready, rows.shape)

    def start(lengths: Array) -> PyTree:
        return _plain(begin(lengths))

    def sequence(carry: PyTree, xs: Array, lengths: Array) -> tuple[PyTree, PyTree]:
        carry, ys = unroll(cell, params, xs, _named(kind, carry), lengths=lengths)
        return _plain(carry), ys

    def step(carry: PyTree, x: Array) -> tuple[PyTree, PyTree]:
        ready = cell.prepare(params, input_shape=x.shape)
        carry, y = cell.step(ready, _named(kind, carry), x)
        return _plain(carry), y

    kind = jax.eval_shape(begin, lengths)
    carry = _plain(kind)
    make = lambda function, *given: jax.export.export(
        jax.jit(function), platforms=platforms
    )(*given)
    made = {
        "start": make(start, lengths),
        "sequence": make(sequence, carry, xs, lengths),
    }
    return made | ({"step": make(step, carry, x)} if cell.causal else {})


def _plain(tree: PyTree) -> PyTree:
    """The tree with a dict for each tuple that has named fields.

    Example:
      >>> import jaxrnn as jr
      >>> _plain((jr.LSTMCarry(1, 2), ()))
      ({'hidden': 1, 'cell': 2}, ())
    """
    if hasattr(tree, "_asdict"):
        return {name: _plain(part) for name, part in tree._asdict().items()}
    if isinstance(tree, tuple):
        return tuple(map(_plain, tree))
    return tree


def _named(kind: PyTree, tree: PyTree) -> PyTree:
    """The inverse of `_plain`: a tree of the kind that it was made of."""
    if hasattr(kind, "_asdict"):
        fields = kind._asdict().items()
        return type(kind)(**{name: _named(part, tree[name]) for name, part in fields})
    if isinstance(kind, tuple):
        return tuple(_named(*pair) for pair in zip(kind, tree, strict=True))
    return tree
