"""Weights and states of Flax's recurrent modules, linen and nnx."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxrnn.cell import Cell
from jaxrnn.cells import GRU, LSTM, LSTMCarry
from jaxrnn.combine import Bidirectional, Stack
from jaxrnn.interop.flax.kinds import Part, family, parts_of
from jaxrnn.interop.gates import Table, check_params
from jaxrnn.interop.layers import Format, Place, carry_of, leaves
from jaxrnn.interop.same import alike, check_equations, with_update
from jaxrnn.typing import PyTree


def read(foreign: Any, variables: Any = None, *, cell: Any = None) -> Any:
    """The cell and the parameters of a Flax module, of linen or of nnx.

    ::

      LSTMCell, OptimizedLSTMCell  LSTM
      GRUCell                      GRU(reset="after")
      MGUCell                      MGU(reset="after", update="keep")
      SimpleCell                   Elman
      Dense, Linear, Embed         Dense, Embed
      RNN, Bidirectional           what is inside, Bidirectional
      Sequential                   Stack, a function in it Map: of any leading axes
      ii, if, ig, io               kernel, the gates side by side
      hi, hf, hg, ho               recurrent_kernel
      hi/bias, ... of an LSTM      bias
      hn/bias of a GRU             recurrent_bias; 0 from nnx, which has none

    Args:
      foreign: the module.
      variables: of a linen module, what its `init` returned.
      cell: what to read it as; None: what it is.

    Returns:
      `(cell, params)`.

    Raises:
      ValueError: for modules and options that have no counterpart, naming them; for
        weights that are missing, too many, misshapen or not floating, naming each.

    Example:
      >>> import jax, jax.numpy as jnp, jaxrnn as jr
      >>> from flax import linen as nn
      >>> module = nn.RNN(nn.GRUCell(4))
      >>> variables = module.init(jax.random.key(0), jnp.ones((2, 7, 3)))
      >>> cell, params = jr.interop.flax.read(module, variables)
      >>> cell, params["kernel"].shape
      (GRU(4, reset='after'), (3, 12))
    """
    found, parts = parts_of(foreign)
    arrays = _flat(_weights(foreign, variables))
    cell = found if cell is None else cell
    check_equations(cell, found)
    form = _format(foreign, cell, found, parts)
    return cell, form.read(cell, _inputs(found, parts, arrays), arrays)


def write(cell: Cell, params: PyTree, into: Any) -> Any:
    """A cell's parameters as those of a Flax module: the inverse of `read`.

    Args:
      cell: what the module is, or a cell with the same equations.
      params: its parameters.
      into: the module that they are for.

    Returns:
      For linen `variables`, which `apply` takes; for nnx what `nnx.update` takes.

    Raises:
      ValueError: for what the module has no counterpart of, naming it; for parameters
        of another cell, with every difference.
    """
    found, parts = parts_of(into)
    form = _format(into, cell, found, parts)
    check_params(cell, params)
    arrays = form.write(cell, params)
    linen = family(into) == "linen"
    tree: dict[Any, Any] = {}
    for path, array in arrays.items():
        node, (*folders, name) = tree, path.split("/")
        for folder in folders:
            key = int(folder) if folder.isdigit() and not linen else folder
            node = node.setdefault(key, {})
        node[name] = array
    return {"params": tree} if linen else tree


def read_carry(cell: Cell, foreign: Any) -> PyTree:
    """The carry from Flax's: h, or (c, h) of an LSTM.

    Args:
      cell: the model.
      foreign: of both directions a pair, of a `Stack` a tuple of those that layers with
        a memory have.

    Returns:
      The carry of `cell`.

    Raises:
      ValueError: for another number of states than the cell has.
    """
    return carry_of(cell, _parts_of_carry(cell, foreign))


def write_carry(cell: Cell, carry: PyTree) -> Any:
    """A carry as Flax's: the inverse of `read_carry`.

    Args:
      cell: the model.
      carry: its carry.
    """
    if isinstance(cell, Stack):
        both = zip(cell.cells, carry, strict=True)
        return tuple(write_carry(c, own) for c, own in both if c.has_memory)
    if isinstance(cell, Bidirectional):
        sides = zip((cell.forward, cell.backward), carry, strict=True)
        return tuple(write_carry(c, own) for c, own in sides)  # type: ignore[arg-type]
    return (carry.cell, carry.hidden) if isinstance(carry, LSTMCarry) else carry


def _parts_of_carry(cell: Any, foreign: Any) -> list[Any]:
    if isinstance(cell, LSTM):
        c, h = foreign
        return [LSTMCarry(hidden=h, cell=c)]
    if isinstance(cell, Stack):
        inside = [layer for layer in cell.cells if layer.has_memory]
    elif isinstance(cell, Bidirectional):
        inside = [cell.forward, cell.backward]  # type: ignore[list-item]
    else:
        return [foreign]
    pairs = zip(inside, foreign, strict=True)
    return [part for layer, own in pairs for part in _parts_of_carry(layer, own)]


def _format(module: Any, cell: Cell, found: Cell, parts: list[Part]) -> Format:
    own = [place for place, *_ in leaves(cell)]
    if own != [place for place, *_ in leaves(found)] or not _same_merges(cell, found):
        raise ValueError(f"the module is {found}, which has no counterpart of {cell}")
    by_place = dict(zip(own, parts, strict=True))
    kinds = {place: leaf for place, leaf, _ in leaves(found)}

    def path(place: Place, name: str) -> str:
        whole = by_place[place].path + name
        if family(module) == "nnx":  # where `if` is no name of an attribute
            whole = whole.replace("if/", "if_/")
        return whole

    def fit(leaf: Any, params: PyTree) -> tuple[Cell, PyTree]:
        return (
            with_update(leaf, params, "keep")
            if isinstance(leaf, GRU)
            else (leaf, params)
        )

    def table(place: Place, leaf: Cell) -> Table:
        if not alike(kinds[place], leaf):
            raise ValueError(
                f"the module is {kinds[place]}, which has no counterpart of {leaf}"
            )
        return by_place[place].table

    return Format(fit, table, path)


def _same_merges(cell: Any, found: Any) -> bool:
    """Whether the outputs of both directions are joined alike, at every level."""
    if isinstance(cell, Stack):
        return all(map(_same_merges, cell.cells, found.cells))
    return getattr(cell, "merge", None) == getattr(found, "merge", None)


def _weights(module: Any, variables: Any) -> Any:
    if family(module) == "nnx":
        from flax import nnx

        return nnx.to_pure_dict(nnx.state(module, nnx.Param))
    if not isinstance(variables, Mapping):
        raise TypeError(
            "`variables` must be what `init` of the linen module returned, got "
            f"{type(variables).__name__}"
        )
    return variables.get("params", variables)


def _flat(tree: Mapping[Any, Any], path: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        inner = isinstance(value, Mapping)
        flat |= _flat(value, f"{path}{name}/") if inner else {f"{path}{name}": value}
    return flat


def _inputs(found: Cell, parts: list[Part], arrays: Mapping[str, Any]) -> int | None:
    """The size of the inputs: the rows of the first matrix; None for token ids."""
    if found.input_ndim == 0:
        return None
    for part in parts:
        if "kernel" in part.table:
            stored = part.table["kernel"]
            name = part.path + stored.path.format(stored.gates[:1])
            shape = np.shape(arrays.get(name, ()))
            return shape[0] if len(shape) == 2 else 1
    return 1
