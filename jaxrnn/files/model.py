"""A model in one file, which other people's programs can read; no pickle."""

import json
import os
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn.cell import Cell
from jaxrnn.checks import kind
from jaxrnn.files.arrays import DTYPES
from jaxrnn.files.whole import differences, sealed, unsealed, write
from jaxrnn.spec import Spec
from jaxrnn.typing import PyTree


def save(path: str | os.PathLike, cell: Cell, params: PyTree) -> None:
    """Writes a cell and its parameters to one file.

    It is a safetensors file: any reader of that format finds the parameters, under
    their places in the tree, such as "1/kernel". The header holds the cell, as JSON.
    The file is replaced as a whole: after a kill at any moment the old one or the new
    one is there.

    Args:
      path: of the file; what was there is replaced.
      cell: the model. Functions in its fields must stand at the top level of a module.
      params: its parameters: nested dicts and tuples of arrays.

    Raises:
      TypeError: for a tree, a dtype or a function that a file cannot hold.
      OSError: if the file cannot be written; the old one stays.

    Example:
      >>> import tempfile, jaxrnn as jr
      >>> cell = jr.Dense(4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     jr.save(f"{folder}/model.safetensors", cell, params)
      ...     cell, params = jr.load(f"{folder}/model.safetensors")
      >>> cell, sorted(params)
      (Dense(4), ['bias', 'kernel'])
    """
    from safetensors.numpy import save as to_bytes

    if not isinstance(cell, Cell):
        raise TypeError(f"`cell` must be a cell, got {cell!r}")
    stated = _stated(params)
    arrays = {
        name: np.asarray(leaf, order="C") for name, leaf in _named(params).items()
    }
    header = {"cell": cell.to_json(), "params": stated, "arrays": _checksum(arrays)}
    write(path, to_bytes(arrays, {"jaxrnn": sealed(header)}))


def load(
    path: str | os.PathLike, *, known: Iterable[Callable[..., Any]] = ()
) -> tuple[Any, PyTree]:
    """Reads what `save` wrote: the same cell, the same tree, the same bits.

    Nothing that stands in the file is run or imported.

    Args:
      path: of the file.
      known: functions of your own that the cell's fields refer to. (A cell of your own
        is known once the module that defines it is imported.)

    Returns:
      `(cell, params)`.

    Raises:
      ValueError: if the file is damaged, of a newer format, or none that `save` wrote;
        if its arrays are not those that its header states, naming every difference; if
        its cell is not known.
      OSError: if the file cannot be read.
    """
    header, arrays = _read(path)
    params = jax.tree.map_with_path(
        lambda place, _: jnp.asarray(arrays[_name(place)]), header["params"]
    )
    narrowed = differences(_kinds(arrays), _kinds(_named(params)))
    if narrowed:
        raise ValueError(
            f"{path} can only be loaded with jax_enable_x64 set:{narrowed}"
        )
    try:
        return Spec.from_json(header["cell"], known=known), params
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} holds a cell that cannot be made: {error}") from error


def _read(path: str | os.PathLike) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and arrays of a file, once they are whole and fit each other."""
    from safetensors import SafetensorError, deserialize

    data = Path(path).read_bytes()
    try:
        entries = dict(deserialize(data))
    except SafetensorError as error:
        message = f"{path} is no safetensors file, or cut short or damaged"
        raise ValueError(message) from error
    size = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + size]).get("__metadata__") or {}
    if "jaxrnn" not in metadata:
        raise ValueError(f"{path} is a safetensors file, but none that jaxrnn wrote")
    header = unsealed(metadata["jaxrnn"], path)
    header["params"] = _tuples(header["params"])
    stated = _named(header["params"])
    kinds = {
        name: f"{DTYPES.get(entry['dtype'], entry['dtype'])}{entry['shape']}"
        for name, entry in entries.items()
    }
    wrong = differences(stated, kinds)
    if wrong:
        raise ValueError(f"{path} holds other arrays than its header states:{wrong}")
    arrays = {}
    for name in stated:
        flat = np.frombuffer(entries[name]["data"], DTYPES[entries[name]["dtype"]])
        arrays[name] = flat.reshape(entries[name]["shape"])
    if _checksum(arrays) != header["arrays"]:
        raise ValueError(f"{path} is damaged: its checksum does not fit")
    return header, arrays


def _stated(params: PyTree) -> PyTree:
    """The tree with kinds in place of arrays, which JSON gives back as it is."""
    for name, leaf in _named(params).items():
        if str(getattr(leaf, "dtype", None)) not in DTYPES.values():
            raise TypeError(
                "`params` must hold arrays of dtypes that safetensors knows, "
                f"got {kind(leaf)} at {name}"
            )
    kinds = jax.tree.map(kind, params)
    read_back = _tuples(json.loads(json.dumps(kinds, default=lambda _: None)))
    tree: Any = jax.tree.structure(params)
    if jax.tree.structure(read_back) != tree or len(_named(params)) < tree.num_leaves:
        raise TypeError(
            "`params` must be nested dicts and tuples of arrays, with strings without "
            f"/ for keys, got {tree}"
        )
    return kinds


def _tuples(tree: Any) -> Any:
    """The tree that JSON, which knows only lists, was made of."""
    if isinstance(tree, dict):
        return {key: _tuples(value) for key, value in tree.items()}
    return tuple(map(_tuples, tree)) if isinstance(tree, list) else tree


def _name(place: Any) -> str:
    return jax.tree_util.keystr(place, simple=True, separator="/")


def _named(tree: PyTree) -> dict[str, Any]:
    return {_name(place): leaf for place, leaf in jax.tree.leaves_with_path(tree)}


def _kinds(arrays: dict[str, Any]) -> dict[str, str]:
    return {name: kind(array) for name, array in arrays.items()}


def _checksum(arrays: dict[str, np.ndarray]) -> int:
    """CRC-32 of the kinds and contents of arrays, by the order of their names."""
    crc = 0
    for name in sorted(arrays):
        crc = zlib.crc32(kind(arrays[name]).encode(), crc)
        crc = zlib.crc32(arrays[name].tobytes(), crc)
    return crc
