"""States of a training run on disk, to go on from after a stop or a kill."""

import math
import os
import re
import shutil
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn import checks
from jaxrnn.files import differences, sealed, unsealed, write
from jaxrnn.typing import PyTree


class Checkpoints:
    """The last states of a run and its best one, each in a folder named by its step.

    A state is any tree of arrays, random keys and Python numbers. A checkpoint is there
    as a whole or not at all: after a kill at any moment, even while one is written, the
    last complete one loads, bit for bit.

    Args:
      folder: where they are; made when the first one is saved.
      keep: how many of the last ones stay.
      metric: which of the numbers saved with a state marks the best one, which stays
        too: that with the lowest.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     checkpoints = Checkpoints(folder, keep=2)
      ...     for step, loss in enumerate([3.0, 1.0, 2.0, 2.5]):
      ...         state = {"params": jnp.full(3, step), "key": jax.random.key(step)}
      ...         checkpoints.save(step, state, {"loss": loss})
      ...     print(checkpoints.steps(), checkpoints.best())
      ...     checkpoints.restore(state, step=1)["params"]
      [1, 2, 3] 1
      Array([1, 1, 1], dtype=int32)
    """

    def __init__(
        self, folder: str | os.PathLike, *, keep: int = 3, metric: str = "loss"
    ) -> None:
        checks.positive(keep=keep)
        self.folder, self.keep, self.metric = Path(folder).absolute(), keep, metric

    def steps(self) -> list[int]:
        """The steps that are there, first to last."""
        return list(self._paths())

    def latest(self) -> int | None:
        """The last step that is there; None if none is."""
        return max(self.steps(), default=None)

    def best(self) -> int | None:
        """The step with the lowest metric, the first of equals; None if none has it."""
        scores = {step: self.metrics(step).get(self.metric) for step in self.steps()}
        known = {k: v for k, v in scores.items() if v is not None and not math.isnan(v)}
        return min(known, key=known.__getitem__, default=None)

    def metrics(self, step: int) -> dict[str, Any]:
        """The numbers that were saved with a step; none if they cannot be read."""
        path = self._paths().get(step)
        try:
            return {} if path is None else _manifest(path)["metrics"]
        except ValueError:
            return {}

    def save(
        self, step: int, state: PyTree, metrics: Mapping[str, Any] | None = None
    ) -> None:
        """Writes a state. On return it is on disk, and what is not kept is gone.

        Args:
          step: its number, not below the last one's. A step saved again takes the place
            of the first, and inherits the metrics that are not given anew.
          state: the tree.
          metrics: numbers to save with it.

        Raises:
          TypeError: if the state holds what is no array, random key or number.
          ValueError: if `step` is below the last one's.
          OSError: if it cannot be written; the others stay.
        """
        least = self.latest() or 0
        if step < least:
            raise ValueError(f"`step` must be at least {least}, got {step}")
        arrays = [_to_numpy(name, leaf) for name, leaf in _named(state).items()]
        manifest = {
            "metrics": self.metrics(step) | _plain(metrics or {}),
            "state": _kinds(state),
        }
        self._write(step, manifest, arrays)
        self._drop()

    def restore(self, like: PyTree, step: int | None = None) -> PyTree:
        """Reads a state.

        Args:
          like: a tree of the same structure, shapes and dtypes, such as the state that
            a new run starts from. Arrays are put where its arrays are.
          step: which one; None: the last.

        Returns:
          The state, bit for bit as it was saved.

        Raises:
          ValueError: if there is none; if it is not like `like`, naming every
            difference; if it is damaged, or of a newer format.
        """
        paths = self._paths()
        step = self.latest() if step is None else step
        if not paths:
            raise ValueError(f"{self.folder} holds no checkpoint")
        if step not in paths:
            raise ValueError(f"`step` must be one of {list(paths)}, got {step}")
        manifest = _manifest(paths[step])
        wrong = differences(_kinds(like), manifest["state"])
        if wrong:
            raise ValueError(f"{paths[step]} holds another state than `like`:{wrong}")
        wrong = differences(manifest["files"], _files(paths[step]))
        if wrong:
            raise ValueError(f"{paths[step]} is damaged:{wrong}")
        stored = _read(paths[step]) if manifest["files"] else {}
        leaves = enumerate(jax.tree.leaves(like))
        restored = [_as(leaf, stored.get(str(i))) for i, leaf in leaves]
        return jax.tree.unflatten(jax.tree.structure(like), restored)

    def _paths(self) -> dict[int, Path]:
        """Each step's folder: "12", or "12-1" if it was saved a second time."""
        return {step: path for step, _, path in sorted(self._whole())}

    def _whole(self) -> Iterator[tuple[int, int, Path]]:
        for manifest in self.folder.glob("*/manifest.json"):
            name = re.fullmatch(r"(\d+)(?:-(\d+))?", manifest.parent.name)
            if name:
                yield int(name[1]), int(name[2] or 0), manifest.parent

    def _write(
        self, step: int, manifest: dict[str, Any], arrays: list[np.ndarray]
    ) -> None:
        """All of a checkpoint under another name, and then its own: never a part."""
        import orbax.checkpoint

        times = [again for other, again, _ in self._whole() if other == step]
        path = self.folder / (f"{step}-{max(times) + 1}" if times else f"{step}")
        unfinished = _unfinished(path)
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        # Orbax takes no empty arrays, and takes some names apart: so they are numbers.
        stored = {str(i): array for i, array in enumerate(arrays) if array.size}
        if stored:
            with orbax.checkpoint.PyTreeCheckpointer() as checkpointer:
                checkpointer.save(unfinished / "arrays", stored)
        manifest["files"] = _files(unfinished)
        write(unfinished / "manifest.json", sealed(manifest).encode())
        unfinished.rename(path)

    def _drop(self) -> None:
        """Removes all but the last ones and the best, and what a kill left behind."""
        paths = self._paths()
        kept = [*list(paths)[-self.keep :], self.best()]
        for step, _, path in list(self._whole()):
            if step not in kept or path != paths[step]:
                path.rename(_unfinished(path))
        for path in self.folder.glob("*.unfinished"):
            shutil.rmtree(path)


def _unfinished(path: Path) -> Path:
    return path.with_name(f"{path.name}.unfinished")


def _manifest(path: Path) -> dict[str, Any]:
    return unsealed((path / "manifest.json").read_bytes(), path)


def _files(path: Path) -> dict[str, str]:
    """What is compared of the files that Orbax wrote."""
    return {
        file.relative_to(path).as_posix(): f"crc32 {zlib.crc32(file.read_bytes()):08x}"
        for file in sorted((path / "arrays").rglob("*"))
        if file.is_file()
    }


def _read(path: Path) -> dict[str, np.ndarray]:
    import orbax.checkpoint

    with orbax.checkpoint.PyTreeCheckpointer() as checkpointer:
        return checkpointer.restore(path / "arrays")


def _to_numpy(name: str, leaf: Any) -> np.ndarray:
    array = np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)
    if array.dtype.kind in "OSU":
        raise TypeError(
            f"`state` must hold arrays, random keys and numbers, got {leaf!r} at {name}"
        )
    return array


def _as(like: Any, array: np.ndarray | None) -> Any:
    """The array, None for an empty one, as a leaf of the sort that `like` is."""
    if array is None:
        array = np.zeros(like.shape, like.dtype)
    if _is_key(like):
        return jax.random.wrap_key_data(
            jnp.asarray(array), impl=jax.random.key_impl(like)
        )
    if isinstance(like, np.ndarray | np.generic):
        return array if isinstance(like, np.ndarray) else array[()]
    if not hasattr(like, "dtype"):
        return type(like)(array.item())
    return jax.device_put(
        array, like.sharding if getattr(like, "committed", True) else None
    )


def _is_key(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _named(tree: PyTree) -> dict[str, Any]:
    leaves = jax.tree.leaves_with_path(tree)
    return {checks.path_name(path): leaf for path, leaf in leaves}


def _kinds(tree: PyTree) -> dict[str, str]:
    return {name: checks.kind(leaf) for name, leaf in _named(tree).items()}


def _plain(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The same with Python's numbers, for JSON."""
    return {k: v.item() if hasattr(v, "item") else v for k, v in metrics.items()}
