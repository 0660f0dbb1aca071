"""Beam search by hand, row by row, without early stopping; and models to search in.

A model is a table: log-probabilities and alignments for every beginning of a sequence,
drawn at random, so that nothing about it is regular.
"""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Tree(NamedTuple):
    """The carry: where in the table a row is, -1 before it, and what it looks at."""

    node: jax.Array
    alignment: jax.Array


def tables(rows, size, steps, positions=4, *, seed=0, scale=1.5):
    """Random logits and alignments of every beginning, `[rows, nodes, ...]`."""
    rng = np.random.default_rng(seed)
    nodes = sum(size**depth for depth in range(max(steps, 1)))
    logits = scale * rng.standard_normal((rows, nodes, size))
    weights = np.exp(2 * rng.standard_normal((rows, nodes, positions)))
    alignments = weights / weights.sum(-1, keepdims=True)
    return {"logits": jnp.asarray(logits), "alignments": jnp.asarray(alignments)}


def start(tables):
    rows, _, positions = tables["alignments"].shape
    return Tree(jnp.full(rows, -1), jnp.zeros((rows, positions)))


def step(tables, carry, x):
    """A step function: the root before the first symbol, then the child of the last."""
    size = tables["logits"].shape[-1]
    node = jnp.where(carry.node < 0, 0, carry.node * size + 1 + x.astype(int))
    row = lambda table: jnp.take_along_axis(table, node[:, None, None], 1)[:, 0]
    return Tree(node, row(tables["alignments"])), row(tables["logits"])


def log_softmax(logits):
    shifted = logits - np.max(logits, axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


class Row:
    """One row of the tables: what a hypothesis' continuations are worth."""

    def __init__(self, tables, row):
        self.log_p = log_softmax(np.asarray(tables["logits"][row]))
        self.looks = np.asarray(tables["alignments"][row])
        self.size = self.log_p.shape[-1]

    def node(self, h):
        node = 0
        for v in h:
            node = node * self.size + 1 + v
        return node

    def log_prob(self, h):
        return sum(self.log_p[self.node(h[:t]), v] for t, v in enumerate(h))

    def alignments(self, h):
        return np.stack([self.looks[self.node(h[:t])] for t in range(len(h))])


def allowed(h, v, t, *, end, min_steps=0, no_repeat=0, prefix=(), **other):
    """Whether symbol v may follow the hypothesis h, written before step t."""
    if t < len(prefix) and prefix[t] >= 0:
        return v == prefix[t]
    if v == end and t + 1 < min_steps:
        return False
    runs = [h[i : i + no_repeat] for i in range(len(h) - no_repeat + 1)]
    return not (no_repeat and (*h, v)[-no_repeat:] in runs)


def score(row, h, *, length_penalty=0.0, coverage_penalty=0.0, **other):
    n = len(h)
    average = length_penalty == "average"
    lp = n if average else ((5 + n) / 6) ** length_penalty
    if not coverage_penalty:
        return row.log_prob(h) / lp
    cover = np.minimum(row.alignments(h).sum(0), 1)
    return row.log_prob(h) / lp + coverage_penalty * np.log(cover).sum()


def everything(row, *, steps, **options):
    """Every sequence that may be, by score: brute force."""
    end, found = options["end"], []
    for n in range(1, steps + 1):
        for h in itertools.product(range(row.size), repeat=n):
            complete = h[-1] == end or n == steps
            may = (allowed(h[:t], v, t, **options) for t, v in enumerate(h))
            if complete and end not in h[:-1] and all(may):
                found.append(h)
    return sorted(found, key=lambda h: -score(row, h, **options))


def searched(row, *, beam, steps, groups=1, diversity=0.0, nbest=None, **options):
    """The hypotheses that a beam search finds, the best first."""
    width, end = beam // groups, options["end"]
    live, found = [[()] for _ in range(groups)], [[] for _ in range(groups)]
    for t in range(steps):
        counts = np.zeros(row.size)
        for g in range(groups):
            every = [
                (*h, v)
                for h, v in itertools.product(live[g], range(row.size))
                if allowed(h, v, t, **options)
            ]
            lost = dict(enumerate(diversity * counts))
            worth = {h: row.log_prob(h) - lost[h[-1]] for h in every}
            every.sort(key=worth.get, reverse=True)
            ends = [h for h in every[:width] if h[-1] == end]
            live[g] = [h for h in every if h[-1] != end][:width]
            np.add.at(counts, [h[-1] for h in ends + live[g]], 1)
            found[g] += ends
    by_score = lambda h: -score(row, h, **options)
    best = [sorted(found[g] + live[g], key=by_score)[:width] for g in range(groups)]
    distinct = dict.fromkeys(itertools.chain(*best))
    return sorted(distinct, key=by_score)[:nbest]
