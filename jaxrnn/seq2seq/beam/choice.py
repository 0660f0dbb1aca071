"""Who goes on, and who ends."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.seq2seq.pages import picked
from jaxrnn.typing import Array


class Continuations(NamedTuple):
    """Hypotheses and one symbol more, `[*batch, G, K/G]` each.

    Attributes:
      log_probs: minus infinity where there is none.
      parents: int32, the slots that they go on from.
      symbols: int32.
    """

    log_probs: Array
    parents: Array
    symbols: Array


def chosen(
    totals: Array, end: int, diversity: Array
) -> tuple[Continuations, Continuations]:
    """The best continuations of each group, one group after another.

    ::

      rank = log p - diversity * (how many earlier groups took the symbol, how often)

    Args:
      totals: `[*batch, G, K/G, V]`, log p of every continuation.
      end: the symbol that ends a hypothesis.
      diversity: a number.

    Returns:
      `(ended, live)`: those among the K/G best that end; and the K/G best of those that
      do not, so that a slot that ends is another's at once. The highest rank is first;
      of equals, that of the lower slot, then of the lower symbol.
    """
    *batch, groups, _, size = totals.shape
    found, taken = [], jnp.zeros((*batch, size), totals.dtype)
    for group in range(groups):
        own = totals[..., group, :, :]
        lost = diversity * taken[..., None, :]
        pair = _of_group(own, own - lost if group else own, end)
        for log_probs, _, symbols in pair:
            symbol = jax.nn.one_hot(symbols, size, dtype=totals.dtype)
            alive = (log_probs > -jnp.inf)[..., None]
            taken += jnp.sum(symbol, axis=-2, where=alive)
        found.append(pair)
    ended, live = jax.tree.map(lambda *each: jnp.stack(each, -2), *found)
    first = totals.shape[-2] * jnp.arange(groups, dtype=jnp.int32)[:, None]
    whole = lambda own: own._replace(parents=own.parents + first)
    return whole(ended), whole(live)


def _of_group(
    totals: Array, ranks: Array, end: int
) -> tuple[Continuations, Continuations]:
    *batch, width, size = totals.shape
    flat = lambda a: a.reshape(*batch, width * size)
    # Each slot has one end, so that twice as many hold enough of the others.
    ranks, at = jax.lax.top_k(flat(ranks), min(2, size) * width)
    log_probs = picked(flat(totals), at)
    best = Continuations(log_probs, at // size, at % size)
    ends = best.symbols == end
    ended = best._replace(log_probs=jnp.where(ends, log_probs, -jnp.inf))
    ended = jax.tree.map(lambda a: a[..., :width], ended)
    order = jax.lax.top_k(jnp.where(ends, -jnp.inf, ranks), width)[1]
    live = best._replace(log_probs=jnp.where(ends, -jnp.inf, log_probs))
    return ended, picked(live, order)
