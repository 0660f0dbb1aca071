"""The loop of a beam search, inside a program."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.checks import kind
from jaxrnn.seq2seq.beam.choice import Continuations, chosen
from jaxrnn.seq2seq.beam.pool import Pool
from jaxrnn.seq2seq.beam.rules import prefixed, repeating
from jaxrnn.seq2seq.beam.scores import Scoring, covered, real_positions
from jaxrnn.seq2seq.limits import check_vocabulary, not_before
from jaxrnn.seq2seq.pages import followed
from jaxrnn.seq2seq.stepping import (
    Collect,
    Model,
    advance,
    begin,
    collected,
)
from jaxrnn.typing import Array, PyTree
from jaxrnn.unroll.origin import Origin


class Plan(NamedTuple):
    """What makes a program: the arguments of `beam_search` that are no data."""

    models: tuple[Model, ...]
    collect: Collect
    beam: int
    groups: int
    nbest: int
    steps: int
    min_steps: int
    end: int
    no_repeat: int
    covering: bool


class Task(NamedTuple):
    """What a program is given."""

    origins: tuple[Origin, ...]
    first: Array
    prefix: Array | None
    scoring: Scoring
    diversity: Array


class Beams(NamedTuple):
    """The hypotheses that go on, one a slot.

    Slots stand before the batch axes, so that `vmap` runs the models over them, except
    where they are compared: there behind, by group.

    Attributes:
      log_probs: `[*batch, G, K/G]`, minus infinity where a slot is dead.
      carries: of each model, `[K, *batch, ...]`.
      x: `[K, *batch]`, the last symbols.
      coverage: `[K, *batch, S]`, the alignments' sum, if there is a penalty for it.
      history: `[K, *batch, steps]`, all symbols, if none may repeat.
    """

    log_probs: Array
    carries: tuple[PyTree, ...]
    x: Array
    coverage: Array | None
    history: Array | None


class Search:
    """The parts of one search: what does not change while it runs, and its steps."""

    def __init__(self, plan: Plan, task: Task) -> None:
        self.plan = plan
        self.readies, self.carries = begin(plan.models, task.origins, task.first)
        shapes = jax.eval_shape(self._advance, self.carries, task.first)
        _, log_probs, self.seen = shapes
        check_vocabulary(log_probs, plan.end)
        self.size, self.dtype = log_probs.shape[-1], log_probs.dtype
        self.first, self.prefix = task.first, task.prefix
        self.scoring = task.scoring.cast(self.dtype)
        self.diversity = jnp.asarray(task.diversity, self.dtype)
        self.real = self._real(task.origins[0].context) if plan.covering else None

    def _real(self, context: PyTree) -> Array | None:
        """Which positions of the alignments that are collected are real."""
        seen, batch = self.seen, self.first.shape
        if not hasattr(seen, "shape") or seen.shape[:-1] != batch or not seen.ndim:
            raise ValueError(
                "with `coverage_penalty`, `collect` must give the alignment, (*batch, "
                f"S) with *batch = {batch}, got {kind(seen)}"
            )
        return real_positions(context, seen.shape[-1])

    def _advance(self, carries: tuple[PyTree, ...], x: Array) -> tuple:
        carries, log_probs = advance(self.plan.models, self.readies, carries, x)
        return carries, log_probs, collected(self.plan.collect, carries)

    @property
    def page(self) -> PyTree:
        """The shapes of what `step` notes: parents, symbols, and what was collected."""
        beam, shaped = self.plan.beam, jax.ShapeDtypeStruct
        slots = shaped((beam, *self.first.shape), jnp.int32)
        each = lambda a: shaped((beam, *a.shape), a.dtype)
        return slots, slots, jax.tree.map(each, self.seen)

    def begin(self) -> tuple[Beams, Pool]:
        """The empty hypothesis in each group's first slot, and no finished one."""
        plan, batch = self.plan, self.first.shape
        each = lambda a: jnp.broadcast_to(a, (plan.beam, *a.shape))
        width = plan.beam // plan.groups
        alone = jnp.where(jnp.arange(width) == 0, 0, -jnp.inf).astype(self.dtype)
        beams = Beams(
            jnp.broadcast_to(alone, (*batch, plan.groups, width)),
            jax.tree.map(each, self.carries),
            each(self.first),
            None,
            None,
        )
        if plan.covering:
            coverage = jnp.zeros((plan.beam, *self.seen.shape), self.dtype)
            beams = beams._replace(coverage=coverage)
        if plan.no_repeat:
            history = jnp.zeros((plan.beam, *batch, plan.steps), jnp.int32)
            beams = beams._replace(history=history)
        kept = (*batch, plan.groups, min(plan.nbest, width))
        return beams, Pool.empty(kept, self.dtype)

    def step(self, t: Array, beams: Beams, pool: Pool) -> tuple[Beams, Pool, tuple]:
        """Every continuation of every slot: the best go on, the ends go to the pool."""
        carries, log_probs, seen = jax.vmap(self._advance)(beams.carries, beams.x)
        log_probs = jnp.where(self._allowed(t, beams), log_probs, -jnp.inf)
        totals = beams.log_probs[..., None] + self._by_group(log_probs)
        if beams.coverage is not None:
            coverage = beams.coverage + seen.astype(self.dtype)
            beams = beams._replace(coverage=coverage)
        ended, live = chosen(totals, self.plan.end, self.diversity)
        pool = self.pooled(pool, beams, ended, t + 1)
        parents, symbols = self.by_slot(live.parents), self.by_slot(live.symbols)
        history = followed(beams.history, parents)
        following = Beams(
            self._hopeful(live.log_probs, pool, t + 1),
            followed(carries, parents),
            symbols,
            followed(beams.coverage, parents),
            None if history is None else history.at[..., t].set(symbols),
        )
        return following, pool, (parents, symbols, seen)

    def at_the_limit(self, pool: Pool, beams: Beams) -> Pool:
        """The pool, once those that still go on have entered it as they are."""
        shape = beams.log_probs.shape
        slots = jnp.arange(self.plan.beam, dtype=jnp.int32).reshape(shape[-2:])
        nothing = jnp.full(shape, -1, jnp.int32)
        cut = Continuations(beams.log_probs, jnp.broadcast_to(slots, shape), nothing)
        return self.pooled(pool, beams, cut, jnp.int32(self.plan.steps))

    def pooled(
        self, pool: Pool, beams: Beams, found: Continuations, length: Array
    ) -> Pool:
        """The pool, once hypotheses of one length have entered it with their scores."""
        looked = None
        if beams.coverage is not None:
            looked = covered(beams.coverage, self.real)
            looked = self._by_group(followed(looked, self.by_slot(found.parents)))
        scores = self.scoring(found.log_probs, length, looked)
        finished = found.symbols == self.plan.end
        lengths = jnp.broadcast_to(length, scores.shape)
        others = Pool(scores, found.log_probs, lengths, finished, found.parents)
        return pool.entered(others)

    def _hopeful(self, log_probs: Array, pool: Pool, length: Array) -> Array:
        """All slots of a row are dead once none can reach the pool any more."""
        bound = self.scoring.bound(log_probs, length, self.plan.steps)
        hope = jnp.any(bound > pool.scores[..., -1:], axis=(-2, -1), keepdims=True)
        return jnp.where(hope, log_probs, -jnp.inf)

    def _allowed(self, t: Array, beams: Beams) -> Array:
        """`[V]`, or `[K, *batch, V]`: the symbols that rules leave."""
        plan = self.plan
        allowed = not_before(plan.min_steps, plan.end, t, self.size)
        if beams.history is not None:
            allowed &= ~repeating(beams.history, t, plan.no_repeat, self.size)
        return allowed if self.prefix is None else prefixed(allowed, self.prefix[t])

    def _by_group(self, a: Array) -> Array:
        """`[K, *batch, ...]` as `[*batch, G, K/G, ...]`."""
        batch, plan = self.first.shape, self.plan
        rows = jnp.moveaxis(a, 0, len(batch))
        width = plan.beam // plan.groups
        return rows.reshape(*batch, plan.groups, width, *a.shape[1 + len(batch) :])

    def by_slot(self, a: Array) -> Array:
        """`[*batch, G, N]` as `[G * N, *batch]`."""
        return jnp.moveaxis(a.reshape(*a.shape[:-2], a.shape[-2] * a.shape[-1]), -1, 0)
