"""How far a string is from the one it should be: error rates of words and letters."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.losses.lengths import real
from jaxrnn.training.metrics.classes import in_one_dtype
from jaxrnn.training.metrics.total import Total
from jaxrnn.typing import Array


def edit_distance(
    predictions: Array,
    labels: Array,
    *,
    lengths: Array | None = None,
    label_lengths: Array | None = None,
) -> Array:
    """The fewest insertions, deletions and substitutions between two strings a and b.

    ::

      D[i, 0] = i, D[0, j] = j
      D[i, j] = min(D[i - 1, j] + 1, D[i, j - 1] + 1, D[i - 1, j - 1] + (a[i] != b[j]))

    Args:
      predictions: a, `[N, *batch]`, integers. At padded places both may hold anything.
      labels: b, `[M, *batch]`, integers.
      lengths: `[*batch]`, integers in [0, N], of a; None: all is real.
      label_lengths: `[*batch]`, integers in [0, M], of b; None: all is real.

    Returns:
      int32 `[*batch]`: D at the two lengths.

    Raises:
      ValueError, TypeError: for arguments that do not fit, by name.

    References:
      Levenshtein 1966; Wagner, Fischer 1974.

    Example:
      >>> letters = lambda word: jnp.array([ord(c) for c in word])
      >>> int(edit_distance(letters("kitten"), letters("sitting")))
      3
    """
    a, b = jnp.asarray(predictions), jnp.asarray(labels)
    for name, array in (("predictions", a), ("labels", b)):
        if not jnp.issubdtype(array.dtype, jnp.integer):
            raise TypeError(f"`{name}` must be integers, got {array.dtype}")
    if a.ndim == 0 or b.ndim == 0 or a.shape[1:] != b.shape[1:]:
        raise ValueError(
            "`predictions` and `labels` must have shapes [N, *batch] and [M, *batch], "
            f"got {a.shape} and {b.shape}"
        )
    real_a = real("lengths", lengths, a.shape)
    real_b = real("label_lengths", label_lengths, b.shape)
    length_b = jnp.sum(real_b, axis=0, dtype=jnp.int32)
    return _distances(*in_one_dtype(a, b), real_a, length_b)


@jax.jit
def _distances(a: Array, b: Array, real_a: Array, length_b: Array) -> Array:
    batch = a.shape[1:]
    j = jnp.arange(len(b) + 1, dtype=jnp.int32).reshape(-1, *(1,) * len(batch))

    def one(row: Array, inputs: tuple[Array, Array]) -> tuple[Array, None]:
        symbol, is_real = inputs
        changed = row[:-1] + (symbol != b).astype(jnp.int32)
        best = jnp.concatenate([row[:1] + 1, jnp.minimum(row[1:] + 1, changed)])
        # Insertions: the least best[k] + (j - k) of all k <= j.
        best = j + jax.lax.cummin(best - j, axis=0)
        return jnp.where(is_real, best, row), None

    first = jnp.broadcast_to(j, (len(b) + 1, *batch))
    last, _ = jax.lax.scan(one, first, (a, real_a))
    return jnp.take_along_axis(last, length_b[None], axis=0)[0]


class EditDistance(NamedTuple):
    """Edits for each symbol of the truth, over many batches: the error rate.

    Attributes:
      edits: their number.
      length: that of the true symbols.

    Example:
      >>> rate = EditDistance.empty()
      >>> rate = rate.update(jnp.array([[1, 2], [3, 4]]), jnp.array([[1, 2], [5, 4]]))
      >>> float(rate.value())
      0.25
    """

    edits: Total
    length: Total

    @classmethod
    def empty(cls) -> "EditDistance":
        """Of nothing yet."""
        return cls(Total.zeros(), Total.zeros())

    def update(
        self,
        predictions: Array,
        labels: Array,
        *,
        lengths: Array | None = None,
        label_lengths: Array | None = None,
    ) -> "EditDistance":
        """With the rows of one more batch.

        Args:
          predictions: `[N, *batch]`, integers.
          labels: `[M, *batch]`, integers: the truth.
          lengths: `[*batch]`, of the predictions; None: all is real.
          label_lengths: `[*batch]`, of the labels; None: all is real.
        """
        edits = edit_distance(
            predictions, labels, lengths=lengths, label_lengths=label_lengths
        )
        length = jnp.sum(real("label_lengths", label_lengths, jnp.shape(labels)))
        return EditDistance(self.edits.add(jnp.sum(edits)), self.length.add(length))

    def merge(self, other: "EditDistance") -> "EditDistance":
        """Of the rows of both, whatever their order."""
        return EditDistance(
            self.edits.merge(other.edits), self.length.merge(other.length)
        )

    def value(self) -> Array:
        """Edits a true symbol; NaN of nothing. It can exceed 1."""
        return self.edits.high / self.length.high
