"""The best hypotheses that a search has found so far."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn.seq2seq.pages import followed, picked
from jaxrnn.typing import Array, Shape


class Pool(NamedTuple):
    """Hypotheses by score, the highest first; `[..., P]` each.

    Attributes:
      scores: minus infinity where there is none yet.
      log_probs: log p, the end included.
      lengths: int32, the end included.
      finished: whether the last symbol is the end.
      slots: int32, where the last symbol that is not the end was written.
    """

    scores: Array
    log_probs: Array
    lengths: Array
    finished: Array
    slots: Array

    @classmethod
    def empty(cls, shape: Shape, dtype: Any) -> "Pool":
        """Room for hypotheses that any other outdoes."""
        nothing = jnp.full(shape, -jnp.inf, dtype)
        none = jnp.zeros(shape, jnp.int32)
        return cls(nothing, nothing, none, jnp.zeros(shape, bool), none)

    def entered(self, others: "Pool") -> "Pool":
        """The best of both; of equals, those that were here before."""
        both = jax.tree.map(lambda a, b: jnp.concatenate([a, b], -1), self, others)
        _, best = jax.lax.top_k(both.scores, self.scores.shape[-1])
        return picked(both, best)

    def distinct(self, ids: Array, nbest: int) -> "Pool":
        """The best, each sequence once; none where there are fewer.

        Args:
          ids: `[steps, N, *batch]`, the sequences of a pool of leaves `[N, *batch]`.
          nbest: how many.
        """
        same = jnp.all(ids[:, :, None] == ids[:, None], axis=0)
        same &= self.lengths[:, None] == self.lengths
        earlier = np.tri(len(self.lengths), k=-1, dtype=bool)
        earlier = earlier.reshape(*earlier.shape, *(1,) * (self.lengths.ndim - 1))
        twice = jnp.any(same & earlier, axis=1)
        none = Pool.empty(self.scores.shape, self.scores.dtype)
        once = jax.tree.map(lambda a, b: jnp.where(twice, a, b), none, self)
        best = jnp.argsort(once.scores, axis=0, descending=True)[:nbest]
        return followed(once, best.astype(jnp.int32))
