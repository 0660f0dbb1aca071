"""An initial state that is learned."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.typing import Key, PyTree, Shape, Size
from jaxrnn.unroll.leaves import restarting
from jaxrnn.wrapper import Wrapper


class LearnedCarry(Wrapper):
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

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        params = super().init(key, input_size)
        carry = self.cell.initial_carry(self.cell.prepare(params["cell"]), ())
        floating = lambda a: jnp.issubdtype(a.dtype, jnp.inexact)
        stored = lambda a: a.astype(self.param_dtype or a.dtype) if floating(a) else a
        return params | {"carry": tuple(map(stored, jax.tree.leaves(carry)))}

    def prepare(self, params: PyTree, **given: Any) -> PyTree:
        # Not cast: each leaf takes the dtype that the cell's own carry has.
        return super().prepare(params, **given) | {"carry": params["carry"]}

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> PyTree:
        plain = super().initial_carry(ready, batch_shape)
        leaves, tree = jax.tree.flatten(plain)
        learned = zip(leaves, ready["carry"], strict=True)
        rows = [jnp.broadcast_to(own.astype(a.dtype), a.shape) for a, own in learned]
        return jax.tree.unflatten(tree, rows)

    def over(
        self, ready: PyTree, carry: PyTree, xs: PyTree, run: Any
    ) -> tuple[PyTree, PyTree]:
        carry = restarting(carry, self.initial_carry(ready, run.batch_shape))
        return super().over(ready, carry, xs, run)
