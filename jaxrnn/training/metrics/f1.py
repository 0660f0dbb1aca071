"""How well each class is found."""

from typing import NamedTuple

import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.training.metrics.classes import checked
from jaxrnn.training.metrics.total import Total
from jaxrnn.typing import Array


class F1(NamedTuple):
    """The harmonic mean of precision and recall, of each class, over many batches.

    ::

      F1[v] = 2 hits[v] / (predicted[v] + actual[v])

    Attributes:
      hits: `[V]`, steps where v was predicted and true.
      predicted: `[V]`, where it was predicted.
      actual: `[V]`, where it was true.

    References:
      van Rijsbergen 1979.

    Example:
      >>> f1 = F1.empty(3).update(jnp.array([0, 0, 1, 2]), jnp.array([0, 1, 1, 0]))
      >>> f1.value().tolist()
      [0.5, 0.6666666865348816, 0.0]
    """

    hits: Total
    predicted: Total
    actual: Total

    @classmethod
    def empty(cls, classes: int) -> "F1":
        """Of nothing yet.

        Args:
          classes: their number V.
        """
        checks.positive(classes=classes)
        return cls(*[Total.zeros((classes,)) for _ in range(3)])

    def update(
        self, predictions: Array, labels: Array, mask: Array | None = None
    ) -> "F1":
        """With the steps of one more batch.

        Args:
          predictions: `[T, *batch]`, integers: the predicted classes. One outside
            [0, V), in labels too, is no class.
          labels: `[T, *batch]`, integers: the true ones.
          mask: `[T, *batch]`, boolean, True = real; None: all are.
        """
        predictions, labels, mask = checked(predictions, labels, mask)
        hits = mask & (predictions == labels)
        return F1(
            self.hits.add(self._counts(labels, hits)),
            self.predicted.add(self._counts(predictions, mask)),
            self.actual.add(self._counts(labels, mask)),
        )

    def merge(self, other: "F1") -> "F1":
        """Of the steps of both, whatever their order."""
        return F1(*[a.merge(b) for a, b in zip(self, other, strict=True)])

    def value(self) -> Array:
        """`[V]`; 0 for a class that was neither predicted nor true."""
        both = self.predicted.high + self.actual.high
        return 2 * self.hits.high / jnp.maximum(both, 1)

    def _counts(self, classes: Array, mask: Array) -> Array:
        size = self.hits.high.shape[0]
        known = mask & (classes >= 0) & (classes < size)
        places = jnp.where(known, classes, size).ravel()
        return jnp.bincount(places, length=size + 1)[:size]
