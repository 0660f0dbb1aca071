"""Sums of many numbers that lose nothing on the way."""

from typing import NamedTuple

import jax.numpy as jnp

from jaxrnn.typing import Array, Shape


class Total(NamedTuple):
    """A sum as two numbers: what fits into one, and what rounding left over.

    Counts are exact up to 2^48 in float32, where one number stops at 2^24; and in
    whatever order numbers are added, the sum is the same to about 2^-46 of their size.

    Attributes:
      high: the sum, rounded.
      low: the rest.

    References:
      Knuth 1969, section 4.2.2, theorem B.

    Example:
      >>> total = Total.zeros()
      >>> for _ in range(4):
      ...     total = total.add(jnp.float32(1e8)).add(jnp.float32(1.0))
      >>> float(total.high), float(total.low)
      (400000000.0, 4.0)
    """

    high: Array
    low: Array

    @classmethod
    def zeros(cls, shape: Shape = ()) -> "Total":
        """The sum of nothing, of any shape."""
        return cls(jnp.zeros(shape, float), jnp.zeros(shape, float))

    def add(self, number: Array) -> "Total":
        """The sum with one more number, exactly."""
        number = jnp.asarray(number).astype(self.high.dtype)
        high, lost = _exactly(self.high, number)
        return Total(*_exactly(high, self.low + lost))

    def merge(self, other: "Total") -> "Total":
        """The sum of both."""
        return self.add(other.high).add(other.low)


def _exactly(a: Array, b: Array) -> tuple[Array, Array]:
    """The rounded sum of two numbers, and what rounding took away."""
    total = a + b
    b_in_it = total - a
    return total, (a - (total - b_in_it)) + (b - b_in_it)
