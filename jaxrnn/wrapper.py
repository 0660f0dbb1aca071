"""A cell around another cell."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from jaxrnn import product
from jaxrnn.cell import Cell
from jaxrnn.checks import inside
from jaxrnn.typing import Array, Key, PyTree, Shape, Size


class Wrapper(Cell):
    """A cell around another, which it leaves as it is but for what a subclass states.

    What belongs to the cell inside is under `cell`, in `params` and in `ready`; what
    the wrapper has of its own stands beside it. The carry is that of the cell inside.

    A wrapper that changes the whole sequence (its inputs, its outputs) says so in
    `over` and in `project` and `recur`, so that a container inside still runs in its
    own way. One that comes between two steps states `recur`, and runs step by step:
    `over` is then `run.scan(self, ready, carry, xs)`.

    Args:
      cell: the cell inside.

    Example:
      Outputs that are twice as large:

      >>> import jax, jax.numpy as jnp, jaxrnn as jr
      >>> class Twice(jr.Wrapper):
      ...     def recur(self, ready, carry, z):
      ...         carry, y = super().recur(ready, carry, z)
      ...         return carry, 2 * y
      ...
      ...     def over(self, ready, carry, xs, run):
      ...         carry, ys = super().over(ready, carry, xs, run)
      ...         return carry, 2 * ys
      >>> cell = Twice(jr.Elman(4))
      >>> params = cell.init(jax.random.key(0), 3)
      >>> carry, ys = jr.unroll(cell, params, jnp.ones((7, 2, 3)))
      >>> bool((ys[-1] == 2 * carry).all())
      True
    """

    cell: Cell

    def __post_init__(self) -> None:
        if not isinstance(self.cell, Cell):
            raise TypeError(
                f"`cell` of {type(self).__name__} must be a cell, got {self.cell!r}"
            )
        super().__post_init__()

    def check_recurrent(self) -> None:
        """Raise unless the cell inside has a memory and can step."""
        name, cell = type(self).__name__, self.cell
        if not cell.has_memory:
            raise ValueError(f"`{name}` needs a cell with a memory, got {cell}")
        if not cell.causal:
            raise ValueError(
                f"`{name}` needs a cell that can step, got {cell}: put it inside, "
                "around the cells that can"
            )

    def _inside(self) -> AbstractContextManager[None]:
        return inside(f"cell of {type(self).__name__}, {self.cell}")

    @property
    def input_ndim(self) -> Any:  # type: ignore[override]
        return self.cell.input_ndim

    @property
    def input_kernel(self) -> Any:  # type: ignore[override]
        place = self.cell.input_kernel
        return None if place is None else ("cell", *place)

    @property
    def has_memory(self) -> bool:
        return self.cell.has_memory

    def layers(
        self, params: PyTree, input_size: Size | None = None
    ) -> Iterator[tuple[str, Cell, PyTree, Size | None]]:
        yield "cell", self.cell, params["cell"], input_size

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        with self._inside():
            return {"cell": self.cell.init(key, input_size)}

    def output_size(self, input_size: Size | None) -> Size:
        return self.cell.output_size(input_size)

    def prepare(
        self,
        params: PyTree,
        *,
        input_shape: Shape | None = None,
        key: Key | None = None,
        context: PyTree = None,
    ) -> PyTree:
        own = {name: part for name, part in params.items() if name != "cell"}
        with self._inside():
            cell = self.cell.prepare(
                params["cell"], input_shape=input_shape, key=key, context=context
            )
        return {"cell": cell} | product.cast(own, self.dtype)

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> PyTree:
        return self.cell.initial_carry(ready["cell"], batch_shape)

    def project(self, ready: PyTree, x: PyTree, *, key: Key | None = None) -> PyTree:
        with self._inside():
            return self.cell.project(ready["cell"], x, key=key)

    def recur(self, ready: PyTree, carry: PyTree, z: PyTree) -> tuple[PyTree, PyTree]:
        with self._inside():
            return self.cell.recur(ready["cell"], carry, z)

    def over(
        self, ready: PyTree, carry: PyTree, xs: PyTree, run: Any
    ) -> tuple[PyTree, PyTree]:
        with self._inside():
            return run(self.cell, ready["cell"], carry, xs)

    def hidden(self, carry: PyTree) -> Array:
        return self.cell.hidden(carry)

    def with_hidden(self, carry: PyTree, hidden: Array) -> PyTree:
        return self.cell.with_hidden(carry, hidden)

    def cast_output(self, y: PyTree) -> PyTree:
        return super().cast_output(self.cell.cast_output(y))
