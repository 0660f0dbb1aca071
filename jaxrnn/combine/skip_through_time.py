"""Connections that leap over steps."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.initializers import Initializer, Orthogonal
from jaxrnn.product import matmul
from jaxrnn.typing import Array, Key, PyTree, Shape, Size
from jaxrnn.wrapper import Wrapper


class SkipCarry(NamedTuple):
    """The carry of the cell inside, and its earlier hidden states.

    Attributes:
      cell: the carry of the cell inside, which holds h_{t-1}.
      past: `[*batch, k - 1, H]`, h_{t-2} to h_{t-k}.
    """

    cell: PyTree
    past: Array


class SkipThroughTime(Wrapper):
    """A cell that also reads its hidden state of k steps before.

    ::

      h_t = cell(x_t, h_{t-1} + K h_{t-k})

    So a gradient goes back T steps in T / k leaps. Before the first step the earlier
    states are zero. A cell that hands its state on beside its products, as a GRU does,
    hands on the sum.

    Args:
      cell: any cell with a hidden state `[*batch, H]`; its parameters are under `cell`,
        beside `skip_kernel` K `[H, H]`.
      k: how far back, in steps.
      skip_init: of K.

    References:
      Lecture 004 ("skip connections"); Lin et al. 1996; Zhang et al. 2016.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.SkipThroughTime(jr.Elman(4), k=5)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> carry, ys = jr.unroll(cell, params, jnp.ones((7, 2, 3)))
      >>> bool((carry.past[:, 0] == ys[-2]).all())
      True
    """

    k: int
    skip_init: Initializer = Orthogonal()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_recurrent()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        cell_key, skip_key = jax.random.split(key)
        params = super().init(cell_key, input_size)
        start = self.cell.initial_carry(self.cell.prepare(params["cell"]), ())
        size = self.cell.hidden(start).shape[-1]
        kernel = self.skip_init(skip_key, (size, size), self.param_dtype or jnp.float32)
        return params | {"skip_kernel": kernel}

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> SkipCarry:
        carry = super().initial_carry(ready, batch_shape)
        h = self.cell.hidden(carry)
        past = jnp.zeros((*batch_shape, self.k - 1, h.shape[-1]), h.dtype)
        return SkipCarry(carry, past)

    def recur(
        self, ready: PyTree, carry: SkipCarry, z: PyTree
    ) -> tuple[SkipCarry, PyTree]:
        h = self.cell.hidden(carry.cell)
        states = jnp.concatenate([h[..., None, :], carry.past], axis=-2)
        h = h + matmul(states[..., -1, :], ready["skip_kernel"])
        changed = self.cell.with_hidden(carry.cell, h)
        following, y = super().recur(ready, changed, z)
        return SkipCarry(following, states[..., :-1, :]), y

    def over(
        self, ready: PyTree, carry: SkipCarry, xs: PyTree, run: Any
    ) -> tuple[SkipCarry, PyTree]:
        return run.scan(self, ready, carry, xs)

    def hidden(self, carry: SkipCarry) -> Array:
        return self.cell.hidden(carry.cell)

    def with_hidden(self, carry: SkipCarry, hidden: Array) -> SkipCarry:
        return carry._replace(cell=self.cell.with_hidden(carry.cell, hidden))
