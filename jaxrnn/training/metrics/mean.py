"""Means over the real steps of many batches: losses, perplexity, accuracy."""

from typing import NamedTuple

import jax.numpy as jnp

from jaxrnn.losses.cross_entropy import cross_entropy
from jaxrnn.losses.reduce import reduce
from jaxrnn.training.metrics.classes import checked
from jaxrnn.training.metrics.total import Total
from jaxrnn.typing import Array


class Mean(NamedTuple):
    """The mean of what a loss gave for each real step, over any number of batches.

    It is that of all steps together, not a mean of the batches' means.

    Attributes:
      total: the sum of the values.
      steps: their number.

    Example:
      >>> mean = Mean.empty()
      >>> for losses in (jnp.array([1.0, 2.0, 3.0]), jnp.array([6.0])):
      ...     mean = mean.update(losses)
      >>> float(mean.value())
      3.0
    """

    total: Total
    steps: Total

    @classmethod
    def empty(cls) -> "Mean":
        """Of nothing yet."""
        return cls(Total.zeros(), Total.zeros())

    def update(self, values: Array, mask: Array | None = None) -> "Mean":
        """With the steps of one more batch.

        Args:
          values: `[T, *batch]`, floating.
          mask: boolean, the shape of `values`, True = real; None: all are.
        """
        total = reduce(values, mask, reduction="sum")
        steps = jnp.asarray(jnp.size(values)) if mask is None else jnp.sum(mask)
        return type(self)(self.total.add(total), self.steps.add(steps))

    def merge(self, other: "Mean") -> "Mean":
        """Of the steps of both, whatever their order."""
        return type(self)(self.total.merge(other.total), self.steps.merge(other.steps))

    def value(self) -> Array:
        """The mean; NaN of nothing."""
        return self.total.high / self.steps.high


class Perplexity(Mean):
    """e to the mean cross-entropy: between how many classes a model wavers.

    Example:
      >>> perplexity = Perplexity.empty().update(jnp.zeros((7, 5)), jnp.arange(7) % 5)
      >>> round(float(perplexity.value()), 5)
      5.0
    """

    __slots__ = ()

    def update(  # type: ignore[override]
        self, logits: Array, labels: Array, mask: Array | None = None
    ) -> "Mean":
        """With the steps of one more batch.

        Args:
          logits: `[T, *batch, V]`, floating.
          labels: `[T, *batch]`, integers; see `cross_entropy`.
          mask: `[T, *batch]`, boolean, True = real; None: all are.
        """
        return super().update(cross_entropy(logits, labels), mask)

    def value(self) -> Array:
        """The perplexity; NaN of nothing."""
        return jnp.exp(super().value())


class Accuracy(Mean):
    """The part of steps whose likeliest class is the true one.

    Example:
      >>> logits = jnp.array([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
      >>> float(Accuracy.empty().update(logits, jnp.array([1, 0, 0, 0])).value())
      0.75
    """

    __slots__ = ()

    def update(  # type: ignore[override]
        self, logits: Array, labels: Array, mask: Array | None = None
    ) -> "Mean":
        """With the steps of one more batch.

        Args:
          logits: `[T, *batch, V]`: of equal ones the first class counts.
          labels: `[T, *batch]`, integers. One outside [0, V) is not met.
          mask: `[T, *batch]`, boolean, True = real; None: all are.
        """
        likeliest = jnp.argmax(logits, axis=-1).astype(jnp.int32)
        predictions, labels, mask = checked(likeliest, labels, mask)
        return super().update((predictions == labels).astype(float), mask)
