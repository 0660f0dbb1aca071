"""Cells whose steps can be combined before any of them is taken."""

from typing import Any

import jax.numpy as jnp

from jaxrnn.cell import Cell
from jaxrnn.typing import Array, PyTree


class LinearCell(Cell):
    """A cell whose steps combine, as linear ones do: two in a row are one of its kind.

    An element says what steps do to the carry. It is a pair (a, b)::

      h = a * h' + b                                                    apply
      a_2 * (a_1 * h' + b_1) + b_2 = (a_2 a_1) * h' + (a_2 b_1 + b_2)   combine

    It does not matter which neighbours are combined first, so T steps take log2(T)
    rounds instead of T.

    A cell of your own states `init`, and `project`, which gives the elements; where an
    output is more than the carry, `elements` and `readout` too. Another monoid is
    stated by `combine`, `apply` and `identity`. They take any leading axes; a leaf of
    an element may have length 1 along those where it does not change.

    References:
      Blelloch 1990, section 1.4; Martin, Cundy 2018.

    Example:
      A leaky integrator, h = a h' + (1 - a) W x:

      >>> import jax, jaxrnn as jr
      >>> class Leaky(jr.LinearCell):
      ...     hidden_size: int
      ...     rate: float = 0.9
      ...
      ...     def init(self, key, input_size=None):
      ...         shape = (input_size, self.hidden_size)
      ...         return {"kernel": jax.random.normal(key, shape)}
      ...
      ...     def project(self, ready, x, *, key=None):
      ...         b = (1 - self.rate) * (x @ ready["kernel"])
      ...         return jnp.full_like(b, self.rate), b
      >>> cell = Leaky(4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> xs = jnp.ones((7, 2, 3))
      >>> carry, ys = jr.unroll(cell, params, xs, method="associative")
      >>> ys.shape
      (7, 2, 4)
    """

    def elements(self, ready: PyTree, z: PyTree) -> PyTree:
        """What steps do to the carry, of what `project` gave of them."""
        return z

    def combine(self, first: PyTree, second: PyTree) -> PyTree:
        """The element that does what `first` does, and then what `second` does."""
        (a, b), (c, d) = first, second
        return self.times(c, a), self.times(c, b) + d

    def apply(self, carry: PyTree, element: PyTree) -> PyTree:
        """The carry after the steps that the element stands for."""
        a, b = element
        return self.times(a, carry) + b

    def readout(self, ready: PyTree, carry: PyTree, z: PyTree) -> PyTree:
        """The output of a step that ended in this carry."""
        return carry

    def identity(self, elements: PyTree) -> PyTree:
        """Elements like these that leave any carry as it is: what padded steps do."""
        a, b = elements
        return jnp.ones_like(a), jnp.zeros_like(b)

    def times(self, a: Array, h: Array) -> Array:
        """The product a * h of the recurrence."""
        return a * h

    def recur(self, ready: PyTree, carry: PyTree, z: PyTree) -> tuple[PyTree, PyTree]:
        carry = self.apply(carry, self.elements(ready, z))
        return carry, self.readout(ready, carry, z)

    def over(
        self, ready: PyTree, carry: PyTree, xs: PyTree, run: Any
    ) -> tuple[PyTree, PyTree]:
        return run.linear(self, ready, carry, xs)


class ComplexLinearCell(LinearCell):
    """A linear cell of complex numbers, held as real vectors `[Re, Im]`."""

    def times(self, a: Array, h: Array) -> Array:
        (a, b), (c, d) = (jnp.split(both, 2, axis=-1) for both in (a, h))
        return jnp.concatenate([a * c - b * d, a * d + b * c], axis=-1)

    def identity(self, elements: PyTree) -> PyTree:
        ones, zeros = super().identity(elements)
        one, _ = jnp.split(ones, 2, axis=-1)
        return jnp.concatenate([one, jnp.zeros_like(one)], axis=-1), zeros


def halves(number: Array) -> Array:
    """Complex numbers `[..., N]` as `[Re, Im]`, real and `[..., 2N]`.

    Example:
      >>> halves(jnp.array([1 + 2j, 3 + 4j])).tolist()
      [1.0, 3.0, 2.0, 4.0]
    """
    return jnp.concatenate([number.real, number.imag], axis=-1)


def has_linear(cell: Cell) -> bool:
    """Whether the cell is linear, or one inside it.

    Example:
      >>> import jaxrnn as jr
      >>> has_linear(jr.Stack(jr.LSTM(4), jr.MinGRU(4))), has_linear(jr.LSTM(4))
      (True, False)
    """
    return isinstance(cell, LinearCell) or any(map(has_linear, cell.parts()))
