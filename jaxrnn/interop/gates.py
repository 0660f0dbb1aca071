"""Parameters between gate orders: what every foreign format needs.

For one cell a format is a table: where each parameter stands among its arrays, in which
order the gates stand, and whether matrices are transposed.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn.cell import Cell
from jaxrnn.checks import kind
from jaxrnn.files import differences
from jaxrnn.typing import PyTree


class Stored(NamedTuple):
    """Where a format keeps one parameter of a cell, and how.

    Attributes:
      path: of the array; with {} in it, each gate has an array of its own, with its
        letter in that place.
      gates: the letters of the gates in the format's order; "" for what has none.
      transposed: whether the format's matrices are `[out, in]`.
    """

    path: str
    gates: str = ""
    transposed: bool = False


Table = Mapping[str, Stored]


def reorder(array: Any, have: str, want: str, *, axis: int = -1) -> np.ndarray:
    """The gates of an array in another order.

    Args:
      array: the gates side by side along `axis`, all of one size.
      have: their letters.
      want: the letters in the order wanted.
      axis: where the gates stand.

    Example:
      >>> reorder(np.array([1, 1, 2, 2, 3, 3, 4, 4]), "ifgo", "ifog").tolist()
      [1, 1, 2, 2, 4, 4, 3, 3]
    """
    blocks = dict(zip(have, np.split(np.asarray(array), len(have), axis), strict=True))
    return np.concatenate([blocks[gate] for gate in want], axis)


def gates_of(cell: Any, name: str) -> str:
    """The letters of the gates in the columns of a cell's parameter; "" for none.

    Example:
      >>> import jaxrnn as jr
      >>> gates_of(jr.LSTM(4), "kernel"), gates_of(jr.GRU(4), "bias")
      ('ifog', 'zrn')
    """
    letters = getattr(cell, "gates", "")
    if name == "peephole":
        return letters.replace("g", "")
    if name == "recurrent_bias" and not getattr(cell, name, False):
        return "n"  # b_u alone
    columns = ("kernel", "recurrent_kernel", "bias", "recurrent_bias")
    return letters if name in columns else ""


def stored(cell: Cell, params: PyTree, table: Table) -> dict[str, np.ndarray]:
    """A cell's parameters as a format keeps them.

    Args:
      cell: one cell.
      params: its parameters; those that the table lacks must be 0.
      table: of the format.

    Returns:
      The format's arrays by their paths, in the order of the table.

    Raises:
      ValueError: for parameters that the table lacks and that are not 0.
    """
    for name in params.keys() - table.keys():
        if np.asarray(params[name]).any():
            raise ValueError(
                f"`{name}` of {cell} has no counterpart there, and is not 0"
            )
    arrays = {}
    for name, (path, gates, transposed) in table.items():
        if name not in params:
            continue
        array = np.asarray(params[name])
        if gates:
            array = reorder(array, gates_of(cell, name), gates)
        paths = _paths(path, gates)
        for one, block in zip(paths, np.split(array, len(paths), -1), strict=True):
            arrays[one] = block.T if transposed else block
    return arrays


def taken(
    cell: Cell, like: PyTree, arrays: Mapping[str, Any], table: Table
) -> dict[str, Any]:
    """The inverse of `stored`: a cell's parameters from a format's arrays.

    Args:
      cell: one cell.
      like: parameters of the right shapes; what the table lacks is taken from them.
      arrays: by their paths, as `stored` gives them.
      table: of the format.
    """
    params = {name: jnp.asarray(leaf) for name, leaf in like.items()}
    for name, (path, gates, transposed) in table.items():
        if name not in like:
            continue
        paths = _paths(path, gates)
        blocks = [np.asarray(arrays[p]) for p in paths]
        array = np.concatenate([b.T if transposed else b for b in blocks], -1)
        if gates:
            array = reorder(array, gates, gates_of(cell, name))
        params[name] = as_jax(array, ", ".join(paths))
    return params


def _paths(path: str, gates: str) -> list[str]:
    """The arrays that one parameter is: one, or one a gate."""
    return [path.format(gate) for gate in gates] if "{}" in path else [path]


def restored(
    cell: Cell, input_size: int | None, arrays: Mapping[str, Any], table: Table
) -> PyTree:
    """The parameters of one cell from a format's arrays, if they fit.

    Args:
      cell: what to read them for.
      input_size: of its inputs.
      arrays: by their paths: all of the format's and nothing else.
      table: of the format; parameters that it lacks are 0.

    Raises:
      ValueError: for arrays that are missing, too many, misshapen or not floating,
        naming each.
    """
    like = zeros_of(cell, input_size, arrays)
    check(stored(cell, like, table), arrays, f"the weights do not fit {cell}")
    return taken(cell, like, arrays, table)


def zeros_of(cell: Cell, input_size: int | None, arrays: Mapping[str, Any]) -> PyTree:
    """Parameters of a cell that are all 0, in the dtype of the arrays."""
    shapes = jax.eval_shape(lambda key: cell.init(key, input_size), jax.random.key(0))
    kinds = [getattr(array, "dtype", None) for array in arrays.values()]
    floating = [k for k in kinds if k is not None and jnp.issubdtype(k, jnp.floating)]
    dtype = floating[0] if floating else np.float32
    return jax.tree.map(lambda a: np.zeros(a.shape, dtype), shapes)


def check(expected: Mapping[str, Any], arrays: Mapping[str, Any], what: str) -> None:
    """Raise unless both hold arrays of the same names and shapes, all floating.

    Raises:
      ValueError: "`what`:" and every difference, a line each.
    """
    wanted = {}
    for name, array in expected.items():
        dtype = getattr(arrays.get(name), "dtype", None)
        floating = dtype is not None and jnp.issubdtype(dtype, jnp.floating)
        wanted[name] = f"{dtype if floating else array.dtype}{list(array.shape)}"
    wrong = differences(wanted, {name: kind(array) for name, array in arrays.items()})
    if wrong:
        raise ValueError(f"{what}:{wrong}")


def check_params(cell: Cell, params: PyTree) -> None:
    """Raise unless these are parameters of that cell, all floating.

    Args:
      cell: the model.
      params: what are to be its parameters; of its inputs' size their first kernel
        tells.

    Raises:
      ValueError: with every difference, by its path.

    Example:
      >>> import jaxrnn as jr
      >>> check_params(jr.Elman(2), {"kernel": np.ones((3, 2)), "bias": np.ones(2)})
      Traceback (most recent call last):
      ValueError: the parameters do not fit Elman(2):
        recurrent_kernel: expected float32[2, 2], got nothing
    """
    size = None if cell.input_ndim == 0 else input_size_of(params) or 1
    expected = _by_path(zeros_of(cell, size, {}))
    check(expected, _by_path(params), f"the parameters do not fit {cell}")


def input_size_of(params: PyTree) -> int | None:
    """The rows of the first kernel, else the length of a scale; None: there is none."""
    for name, ndim in (("kernel", 2), ("scale", 1)):
        for path, leaf in _by_path(params).items():
            if path.rpartition("/")[2] == name and np.ndim(leaf) == ndim:
                return leaf.shape[0]
    return None


def _by_path(tree: PyTree) -> dict[str, Any]:
    name = lambda path: jax.tree_util.keystr(path, simple=True, separator="/")
    return {name(path): leaf for path, leaf in jax.tree.leaves_with_path(tree)}


def as_jax(array: np.ndarray, name: str) -> jax.Array:
    """The array as JAX holds it, no bit lost.

    Raises:
      ValueError: for float64 without `jax_enable_x64`.
    """
    held = jnp.asarray(array)
    if held.dtype != array.dtype:
        raise ValueError(
            f"`{name}` is {array.dtype}, which JAX keeps only with jax_enable_x64 set"
        )
    return held
