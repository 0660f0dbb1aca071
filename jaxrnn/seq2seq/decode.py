"""One sequence to another, symbol by symbol until the end."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.seq2seq.generate import Draw
from jaxrnn.seq2seq.limits import check_limits, check_vocabulary, not_before
from jaxrnn.seq2seq.pages import blank, cleared, noted
from jaxrnn.seq2seq.samplers import Sampler, greedy
from jaxrnn.seq2seq.stepping import (
    Collect,
    Model,
    advance,
    begin,
    check_models,
    collected,
    ensemble,
)
from jaxrnn.typing import Array, Key, PyTree
from jaxrnn.unroll.origin import Origin


class Decoded(NamedTuple):
    """What a model wrote. A beam search has one more axis, behind the batch axes.

    Attributes:
      ids: `[steps, *batch]`, int32; every position after the end holds the end too.
      lengths: `[*batch]`, int32: the symbols written, the end included. So these are
        targets and lengths for teacher forcing.
      log_probs: `[*batch]`: log p(ids), the end included.
      scores: `[*batch]`: what hypotheses are ranked by; without a beam, `log_probs`.
      finished: `[*batch]`: whether the end was written, or the limit came first.
      collected: what `collect` saw after every step, `[steps, *batch, ...]`, zero from
        `lengths` on; None without `collect`.
    """

    ids: Array
    lengths: Array
    log_probs: Array
    scores: Array
    finished: Array
    collected: PyTree


def decode(
    model: Model | tuple[Model, ...],
    params: PyTree,
    first: Array,
    carry: PyTree = None,
    *,
    steps: int,
    end: int,
    sampler: Draw = greedy,
    min_steps: int = 0,
    key: Key | None = None,
    context: PyTree = None,
    collect: Collect = None,
) -> Decoded:
    """Lets a model write until every row has ended. Of one row it is this loop::

      for t in range(steps):
          carry, logits = model.step(ready, carry, x)
          log_p = log_softmax(logits)
          x = sampler(log_p, fold_in(key, t))
          ids.append(x); log_prob += log_p[x]
          if x == end: break

    Args:
      model: any cell that can step, from ids to logits. Its dropout is off. Or a
        function of your own, `step(params, carry, x) -> (carry, logits)`, with ids `x`
        `[*batch]` and logits `[*batch, V]`; or a tuple of models, an ensemble: the mean
        of their probabilities counts.
      params: of the model; for an ensemble, a tuple.
      first: `[*batch]`, the symbol before the first, such as one that means "start".
      carry: the state to start from; None: the model's initial carry. For an ensemble,
        a tuple.
      steps: how many symbols to write at most, the end included.
      end: the symbol that ends a row.
      sampler: from log-probabilities `[*batch, V]` and a key to the next symbols:
        `greedy`, a `Sampler`, or any function. One made anew compiles anew, but for a
        `Sampler`.
      min_steps: how many symbols to write at least, the end included.
      key: randomness; None if the sampler needs none.
      context: what `model.prepare` may look at, such as the source.
      collect: a function of the carry (of the tuple of carries, for an ensemble), such
        as `lambda carry: carry.alignment`; what it gives is stacked.

    Returns:
      `Decoded`. Where logits are no numbers, or all minus infinity, a symbol has the
      log-probability minus infinity, and so has the row.

    Raises:
      ValueError, TypeError: for arguments that do not fit, by name.

    Example:
      >>> import jaxrnn as jr
      >>> model = jr.Stack(jr.Embed(5, 3), jr.GRU(4), jr.Dense(5))
      >>> params = model.init(jax.random.key(0))
      >>> first = jnp.array([0, 2, 1])
      >>> found = jr.decode(model, params, first, steps=7, end=0)
      >>> found.ids.shape, found.lengths.shape
      ((7, 3), (3,))
    """
    check_limits(steps, end, min_steps)
    models, origins = ensemble(model, params, carry, context)
    first = jnp.asarray(first)
    check_models(models, origins, first)
    if isinstance(sampler, Sampler) and key is None:
        raise ValueError("`key` must be given for a `Sampler` to draw with")
    if not isinstance(sampler, Sampler):
        sampler = jax.tree_util.Partial(sampler)
    plan = _Plan(models, collect, steps, end, min_steps)
    return _decoded(plan, origins, first.astype(jnp.int32), (sampler, key))


class _Plan(NamedTuple):
    models: tuple[Model, ...]
    collect: Collect
    steps: int
    end: int
    min_steps: int


class _Rows(NamedTuple):
    """What a step hands the next, and `x`, the symbol before."""

    carries: tuple[PyTree, ...]
    x: Array
    log_probs: Array
    lengths: Array
    finished: Array


@functools.partial(jax.jit, static_argnums=0)
def _decoded(
    plan: _Plan,
    origins: tuple[Origin, ...],
    first: Array,
    drawing: tuple[Draw, Key | None],
) -> Decoded:
    readies, carries = begin(plan.models, origins, first)
    probing = functools.partial(advance, plan.models, readies)
    following, log_probs = jax.eval_shape(probing, carries, first)
    check_vocabulary(log_probs, plan.end)
    seen = jax.eval_shape(functools.partial(collected, plan.collect), following)
    zeros = functools.partial(jnp.zeros, first.shape)
    rows = _Rows(carries, first, zeros(log_probs.dtype), zeros("int32"), zeros(bool))
    pages = jnp.full((plan.steps, *first.shape), plan.end, jnp.int32)
    state = (jnp.int32(0), rows, (pages, blank(plan.steps, seen)))

    def going_on(state: tuple) -> Array:
        t, rows, _ = state
        return (t < plan.steps) & ~jnp.all(rows.finished)

    def one(state: tuple) -> tuple:
        t, rows, pages = state
        rows, seen = _write(plan, readies, drawing, t, rows)
        return t + 1, rows, noted(pages, t, (rows.x, seen))

    if plan.steps:
        state = jax.lax.while_loop(going_on, one, state)
    _, rows, (ids, seen) = state
    return Decoded(
        ids, rows.lengths, rows.log_probs, rows.log_probs, rows.finished, seen
    )


def _write(
    plan: _Plan,
    readies: tuple[PyTree, ...],
    drawing: tuple[Draw, Key | None],
    t: Array,
    rows: _Rows,
) -> tuple[_Rows, PyTree]:
    """One symbol more, where a row goes on."""
    sampler, key = drawing
    carries, log_p = advance(plan.models, readies, rows.carries, rows.x)
    allowed = not_before(plan.min_steps, plan.end, t, log_p.shape[-1])
    log_p = jnp.where(allowed, log_p, -jnp.inf)
    x = sampler(log_p, None if key is None else jax.random.fold_in(key, t))
    if jnp.shape(x) != rows.x.shape:
        raise ValueError(
            f"`sampler` must give the next symbols, of shape {rows.x.shape}, "
            f"got {jnp.shape(x)} from log-probabilities of shape {log_p.shape}"
        )
    live = ~rows.finished
    x = jnp.where(live, x.astype(jnp.int32), plan.end)
    own = jnp.take_along_axis(log_p, x[..., None], axis=-1)[..., 0]
    rows = _Rows(
        carries,
        x,
        jnp.where(live, rows.log_probs + own, rows.log_probs),
        rows.lengths + live.astype(jnp.int32),
        rows.finished | (x == plan.end),
    )
    return rows, cleared(~live, collected(plan.collect, carries))
