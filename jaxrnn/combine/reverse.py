"""The other direction of time."""

from typing import Any

from jaxrnn.typing import PyTree
from jaxrnn.wrapper import Wrapper


class Reverse(Wrapper):
    """A cell that reads its inputs backwards through time.

    ::

      y_t = cell(x_T .. x_t)

    Outputs stay in input order, and each row is read from its own last real step. In a
    `Stack` it turns one layer alone; `unroll(..., reverse=True)` turns them all.

    Args:
      cell: any cell. It cannot step here, since an output depends on later inputs.

    References:
      Layers of alternating directions: Zhou, Xu 2015.

    Example:
      >>> import jax, jax.numpy as jnp, jaxrnn as jr
      >>> model = jr.Stack(jr.LSTM(4), jr.Reverse(jr.LSTM(5)))
      >>> params = model.init(jax.random.key(0), 3)
      >>> carry, ys = jr.unroll(model, params, jnp.ones((7, 2, 3)))
      >>> bool((carry[1].hidden == ys[0]).all())
      True
    """

    @property
    def causal(self) -> bool:
        return False

    def recur(self, ready: PyTree, carry: PyTree, z: PyTree) -> tuple[PyTree, PyTree]:
        raise TypeError(f"{self} cannot step: its outputs depend on later inputs")

    def over(
        self, ready: PyTree, carry: PyTree, xs: PyTree, run: Any
    ) -> tuple[PyTree, PyTree]:
        with self._inside():
            return run.reversed(self.cell, ready["cell"], carry, xs)
