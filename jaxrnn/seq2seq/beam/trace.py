"""From back pointers to sequences."""

import jax
import jax.numpy as jnp

from jaxrnn.seq2seq.beam.pool import Pool
from jaxrnn.seq2seq.decode import Decoded
from jaxrnn.seq2seq.pages import cleared, followed
from jaxrnn.typing import Array, PyTree


def traced(pages: PyTree, pool: Pool, end: int) -> Decoded:
    """The hypotheses of a pool, read from their last symbols backwards.

    Args:
      pages: `(parents, symbols, seen)`: `[steps, K, *batch]`, which slot each one went
        on from and with what; and what was collected in each slot before it was decided
        who goes on from there, `[steps, K, *batch, ...]`.
      pool: of leaves `[N, *batch]`.
      end: fills what comes after the last symbol.

    Returns:
      Leaves `[steps, N, *batch, ...]` and `[N, *batch]`.
    """
    # At its last step a finished hypothesis took no slot: it only looked, and ended.
    taken = pool.lengths - pool.finished.astype(jnp.int32)

    def back(slot: Array, page: PyTree) -> tuple[Array, PyTree]:
        t, parents, symbols, seen = page
        x = jnp.where(t < taken, followed(symbols, slot), end)
        slot = jnp.where(t < taken, followed(parents, slot), slot)
        return slot, (x, cleared(t >= pool.lengths, followed(seen, slot)))

    parents, symbols, seen = pages
    times = jnp.arange(len(symbols), dtype=jnp.int32)
    each = (times, parents, symbols, seen)
    _, (ids, seen) = jax.lax.scan(back, pool.slots, each, reverse=True)
    return Decoded(ids, pool.lengths, pool.log_probs, pool.scores, pool.finished, seen)
