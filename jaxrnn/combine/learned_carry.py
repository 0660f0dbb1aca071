"""An initial state that is learned."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cell import Cell
from jaxrnn.typing import Array, Key, PyTree, Shape, Size
from jaxrnn.unroll.leaves import restarting


class LearnedCarry(Cell):
    """A cell whose initial carry is a parameter: "either set to all 0, or learn it".

    One carry serves all rows; it begins as the cell's own initial carry. Resets go back
    to it.

    Args:
      cell: the cell; its parameters are under `cell`, the carry, one row of it, under
        `carry`, a tuple of its leaves.

    References:
      Lecture 001.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.LearnedCarry(jr.LSTM(4))
      >>> params = cell.init(jax.random.key(0), 3)
      >>> [leaf.shape for leaf in params["carry"]]
      [(4,), (4,)]
    """

    cell: Cell

    @property
    def input_ndim(self) -> Any:  # type: ignore[override]
        return self.cell.input_ndim

    def layers(
        self, params: PyTree, input_size: Size | None = None
    ) -> Iterator[tuple[str, Cell, PyTree, Size | None]]:
        yield "cell", self.cell, params["cell"], input_size

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        params = self.cell.init(key, input_size)
        carry = self.cell.initial_carry(self.cell.prepare(params), ())
        floating = lambda a: jnp.issubdtype(a.dtype, jnp.inexact)
        stored = lambda a: a.astype(self.param_dtype or a.dtype) if floating(a) else a
        return {"cell": params, "carry": tuple(map(stored, jax.tree.leaves(carry)))}

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
        ready = self.cell.prepare(
            params["cell"], input_shape=input_shape, key=key, context=context
        )
        return {"cell": ready, "carry": params["carry"]}

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> PyTree:
        plain = self.cell.initial_carry(ready["cell"], batch_shape)
        leaves, tree = jax.tree.flatten(plain)
        learned = zip(leaves, ready["carry"], strict=True)
        rows = [jnp.broadcast_to(own.astype(a.dtype), a.shape) for a, own in learned]
        return jax.tree.unflatten(tree, rows)

    def project(self, ready: PyTree, x: PyTree, *, key: Key | None = None) -> PyTree:
        return self.cell.project(ready["cell"], x, key=key)

    def recur(self, ready: PyTree, carry: PyTree, z: PyTree) -> tuple[PyTree, PyTree]:
        return self.cell.recur(ready["cell"], carry, z)

    def over(
        self, ready: PyTree, carry: PyTree, xs: PyTree, run: Any
    ) -> tuple[PyTree, PyTree]:
        carry = restarting(carry, self.initial_carry(ready, run.batch_shape))
        return run(self.cell, ready["cell"], carry, xs)

    def hidden(self, carry: PyTree) -> Array:
        return self.cell.hidden(carry)

    def with_hidden(self, carry: PyTree, hidden: Array) -> PyTree:
        return self.cell.with_hidden(carry, hidden)
