"""The likeliest sequences, searched for with a beam."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.seq2seq.beam.expansion import Beams, Plan, Search, Task
from jaxrnn.seq2seq.beam.pool import Pool
from jaxrnn.seq2seq.beam.rules import full_prefix
from jaxrnn.seq2seq.beam.scores import (
    Scoring,
    check_scoring,
    finite_weight,
    is_zero,
    number,
)
from jaxrnn.seq2seq.beam.trace import traced
from jaxrnn.seq2seq.decode import Decoded
from jaxrnn.seq2seq.limits import at_least_0, check_limits
from jaxrnn.seq2seq.pages import blank, noted
from jaxrnn.seq2seq.stepping import Collect, Model, check_models, ensemble
from jaxrnn.typing import Array, PyTree


def beam_search(
    model: Model | tuple[Model, ...],
    params: PyTree,
    first: Array,
    carry: PyTree = None,
    *,
    beam: int,
    steps: int,
    end: int,
    nbest: int | None = None,
    length_penalty: float | Array | str = 0.0,
    coverage_penalty: float | Array = 0.0,
    min_steps: int = 0,
    no_repeat: int = 0,
    prefix: Array | None = None,
    groups: int = 1,
    diversity: float | Array = 0.0,
    context: PyTree = None,
    collect: Collect = None,
) -> Decoded:
    """The sequences of highest score that a beam finds. Of one row it is this loop::

      live, found = {(): 0}, {}                          # log p by hypothesis
      for t in range(steps):
          every = {(*h, v): log_p + log_softmax(logits(h))[v]
                   for h, log_p in live.items() for v in range(V)}
          found |= those of the `beam` likeliest of every that end
          live = the `beam` likeliest of every that do not
      return the `nbest` of highest score of found | live

    with these scores, `sum_t a_ts` being how much of its source position s a hypothesis
    has looked at::

      score = log p / ((5 + length) / 6) ** length_penalty       # "average": / length
              + coverage_penalty * sum_s log(min(sum_t a_ts, 1))

    A finished hypothesis leaves its slot to another. With a beam of 1 and no penalty it
    is greedy decoding; a beam as wide as all continuations finds the best there is. The
    loop ends once nothing that
    still goes on could change the result, for the longest row; rows do not affect
    one another. Of equals, the lower slot and the lower symbol come first. Models run
    over the slots by `vmap` of carry and input alone: what they prepared, such as a
    memory, is there once.

    Args:
      model: any cell that can step, from ids to logits. Its dropout is off. Or a
        function of your own, `step(params, carry, x) -> (carry, logits)`, with ids `x`
        `[*batch]` and logits `[*batch, V]`; or a tuple of models, an ensemble: the mean
        of their probabilities counts.
      params: of the model; for an ensemble, a tuple.
      first: `[*batch]`, the symbol before the first, such as one that means "start".
      carry: the state to start from; None: the model's initial carry. For an ensemble,
        a tuple.
      beam: how many hypotheses go on at a time.
      steps: how many symbols to write at most, the end included.
      end: the symbol that ends a hypothesis.
      nbest: how many to return, at most `beam`; None: `beam`. With fewer the search
        ends earlier.
      length_penalty: alpha; at 0 short hypotheses are ahead. "average" divides by the
        length.
      coverage_penalty: beta; needs `collect`. Real source positions are those of the
        context's `mask`, or below its `lengths`, or all.
      min_steps: how many symbols to write at least, the end included.
      no_repeat: no run of so many symbols comes twice; 0: any may.
      prefix: `[T, *batch]`, symbols that hypotheses must begin with, -1 where free;
        they are not held to the other rules. One that the model does not know leaves
        a row without hypotheses.
      groups: divides the beam into groups, which search on their own, one after
        another. Each gives at most as many as it has slots; what two of them find is
        returned once.
      diversity: what a symbol loses for every earlier group's slot that takes it at the
        same step. It affects who goes on, not the scores.
      context: what `model.prepare` may look at, such as the source.
      collect: a function of the carry (of the tuple of carries, for an ensemble), such
        as `lambda carry: carry.alignment`, or `carry[1].alignment` in a `Stack`; what
        it gives is stacked. One made anew compiles anew, as a step function does.

    Returns:
      `Decoded`, the best first: `ids` `[steps, *batch, nbest]`, `collected`
      `[steps, *batch, nbest, ...]`, the others `[*batch, nbest]`. Where there are fewer
      hypotheses, or all others are impossible (log p is minus infinity, or no number),
      the score is minus infinity and the length 0.

    Raises:
      ValueError, TypeError: for arguments that do not fit, by name.

    References:
      Wu et al. 2016, equation 14 (penalties); Vijayakumar et al. 2016 (groups); Paulus,
      Xiong, Socher 2017 (no repeats).

    Example:
      >>> import jaxrnn as jr
      >>> model = jr.Stack(jr.Embed(5, 3), jr.GRU(4), jr.Dense(5))
      >>> params = model.init(jax.random.key(0))
      >>> first = jnp.array([0, 2, 1])
      >>> found = jr.beam_search(model, params, first, beam=4, steps=7, end=0, nbest=2)
      >>> found.ids.shape, found.scores.shape
      ((7, 3, 2), (3, 2))
    """
    nbest = beam if nbest is None else nbest
    _check_beam(beam, nbest, groups)
    check_limits(steps, end, min_steps)
    at_least_0(no_repeat=no_repeat)
    check_scoring(length_penalty, coverage_penalty, collect)
    finite_weight(diversity=diversity)
    models, origins = ensemble(model, params, carry, context)
    first = jnp.asarray(first)
    check_models(models, origins, first)
    plan = Plan(
        models=models,
        collect=collect,
        beam=beam,
        groups=groups,
        nbest=nbest,
        steps=steps,
        min_steps=min_steps,
        end=end,
        no_repeat=no_repeat,
        covering=not is_zero(coverage_penalty),
    )
    task = Task(
        origins,
        first.astype(jnp.int32),
        full_prefix(prefix, steps, first.shape),
        Scoring.of(length_penalty, coverage_penalty),
        number(diversity),
    )
    return _searched(plan, task)


def _check_beam(beam: Any, nbest: Any, groups: Any) -> None:
    checks.positive(beam=beam, nbest=nbest, groups=groups)
    if nbest > beam:
        raise ValueError(f"`nbest` must be at most `beam`, {beam}, got {nbest}")
    if beam % groups:
        raise ValueError(f"`groups` must divide `beam`, {beam}, got {groups}")


@functools.partial(jax.jit, static_argnums=0)
def _searched(plan: Plan, task: Task) -> Decoded:
    search = Search(plan, task)
    _, beams, pool, pages = _to_the_end(search)
    pool = search.at_the_limit(pool, beams)
    pool = jax.tree.map(search.by_slot, pool)
    if plan.groups > 1:
        ids = traced((*pages[:2], None), pool, plan.end).ids
        pool = pool.distinct(ids, plan.nbest)
    found = traced(pages, pool, plan.end)
    behind = lambda axis: lambda a: jnp.moveaxis(a, axis, axis + task.first.ndim)
    ids, seen = jax.tree.map(behind(1), (found.ids, found.collected))
    found = jax.tree.map(behind(0), found._replace(collected=None))
    return found._replace(ids=ids, collected=seen)


def _to_the_end(search: Search) -> tuple[Array, Beams, Pool, PyTree]:
    """Steps until no slot is alive, or to the limit; and what was noted in each."""
    steps = search.plan.steps
    state = (jnp.int32(0), *search.begin(), blank(steps, search.page))
    if steps == 0:
        return state

    def going_on(state: tuple) -> Array:
        t, beams, _, _ = state
        return (t < steps) & jnp.any(beams.log_probs > -jnp.inf)

    def one(state: tuple) -> tuple:
        t, beams, pool, pages = state
        beams, pool, page = search.step(t, beams, pool)
        return t + 1, beams, pool, noted(pages, t, page)

    return jax.lax.while_loop(going_on, one, state)
