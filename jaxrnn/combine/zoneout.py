"""States that are kept from the step before, at random."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.typing import Array, Key, PyTree
from jaxrnn.wrapper import Wrapper


class Zoneout(Wrapper):
    """Each unit keeps its state of the step before with probability `rate`.

    ::

      h = where(d, h', cell(x, h'))              in training, d ~ Bernoulli(rate)
      h = rate * h' + (1 - rate) * cell(x, h')   in evaluation: the expectation

    So for every leaf of the carry, an LSTM's h and c, and at every step anew. The
    output is the hidden state after zoneout: the cell inside must be one whose output
    is its hidden state. Dropout and skips go around zoneout, not into it.

    Args:
      cell: the cell; the parameters are its own, under `cell`.
      rate: of the hidden state, in [0, 1]; 0 changes nothing, 1 keeps the first state.
      memory_rate: of the other leaves, such as an LSTM's c; None: `rate`.

    References:
      Krueger et al. 2017, whose LSTM has 0.05, and 0.5 for c.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.Zoneout(jr.LSTM(4), 0.05, memory_rate=0.5)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> carry, ys = jr.unroll(cell, params, jnp.ones((7, 2, 3)))  # in expectation
      >>> ys.shape
      (7, 2, 4)
    """

    rate: float
    memory_rate: float | None = None

    def __post_init__(self) -> None:
        checks.probability(rate=self.rate, memory_rate=self._others)
        super().__post_init__()
        self.check_recurrent()

    @property
    def _others(self) -> float:
        return self.rate if self.memory_rate is None else self.memory_rate

    @property
    def input_kernel(self) -> Any:  # type: ignore[override]
        return super().input_kernel  # what is drawn beside it are flags

    def project(self, ready: PyTree, x: PyTree, *, key: Key | None = None) -> PyTree:
        if key is None or {self.rate, self._others} <= {0, 1}:
            return super().project(ready, x, key=key), None
        own, key = jax.random.split(key)
        z = super().project(ready, x, key=key)
        return z, self._draw(own, ready, x)

    def recur(self, ready: PyTree, carry: PyTree, z: PyTree) -> tuple[PyTree, Array]:
        z, held = z
        following, y = super().recur(ready, carry, z)
        if y is not self.cell.hidden(following):
            raise ValueError(
                "`Zoneout` needs a cell whose output is its hidden state, got "
                f"{self.cell}: put it inside, around the recurrent cell"
            )
        new, tree = jax.tree.flatten(following)
        held = [None] * len(new) if held is None else held
        leaves = map(_zoned, self._rates(carry), held, jax.tree.leaves(carry), new)
        zoned = jax.tree.unflatten(tree, leaves)
        return zoned, self.cell.hidden(zoned)

    def over(
        self, ready: PyTree, carry: PyTree, xs: PyTree, run: Any
    ) -> tuple[PyTree, Array]:
        return run.scan(self, ready, carry, xs)

    def _rates(self, carry: PyTree) -> list[float]:
        """The rate of each leaf; a count, which is no state, has none."""
        floating = lambda leaf: jnp.issubdtype(leaf.dtype, jnp.inexact)
        rates = jax.tree.map(lambda a: self._others if floating(a) else 0.0, carry)
        return jax.tree.leaves(self.cell.with_hidden(rates, self.rate))  # type: ignore[arg-type]

    def _draw(self, key: Key, ready: PyTree, x: PyTree) -> list[Array | None]:
        """Which units of each leaf keep their state; None where it is certain."""
        first, ndims = jax.tree.leaves(x)[0], jax.tree.broadcast(self.input_ndim, x)
        batch_shape = first.shape[: first.ndim - jax.tree.leaves(ndims)[0]]
        start = lambda ready: self.initial_carry(ready, batch_shape)
        carry = jax.eval_shape(start, ready)
        leaves, rates = jax.tree.leaves(carry), self._rates(carry)
        keys = jax.random.split(key, len(leaves))
        draw = lambda key, rate, a: jax.random.bernoulli(key, rate, a.shape)
        return [
            draw(own, rate, leaf) if 0 < rate < 1 else None
            for own, rate, leaf in zip(keys, rates, leaves, strict=True)
        ]


def _zoned(rate: float, held: Array | None, old: Array, new: Array) -> Array:
    if rate in (0, 1):
        return old if rate else new
    if held is None:
        return rate * old + (1 - rate) * new
    return jnp.where(held, old, new)
