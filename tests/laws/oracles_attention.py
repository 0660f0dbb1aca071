"""Attentions of one row, position by position, in NumPy.

Each is a function `(attention, params, query, keys, values, past)` of the real
positions alone, where `past` holds the last `alignment` and the `coverage`. It returns
the weights and the context.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from laws.oracles_parts import sigmoid

Past = dict[str, np.ndarray]


def softmax(e: np.ndarray) -> np.ndarray:
    return np.exp(e) / np.exp(e).sum()


def sparsemax(e: np.ndarray) -> np.ndarray:
    """max(e - tau, 0) that sums to one; tau by bisection."""
    low, high = e.min() - 1, e.max()
    for _ in range(200):
        tau = (low + high) / 2
        low, high = (tau, high) if np.maximum(e - tau, 0).sum() > 1 else (low, tau)
    return np.maximum(e - high, 0)


NORMALIZERS = {"softmax": softmax, "sparsemax": sparsemax}


def by_scores(score: Callable[..., float]) -> Callable[..., Any]:
    """An attention, from how well the position `s` fits."""

    def attention(own, params, query, keys, values, past):
        each = range(len(keys))
        e = np.array([score(own, params, query, keys[s], s, past) for s in each])
        a = NORMALIZERS[own.normalize](e)
        return a, sum(a[s] * values[s] for s in each)

    return attention


def dot(own, params, q, k, s, past):
    return sum(q[i] * k[i] for i in range(len(q)))


def scaled_dot(own, params, q, k, s, past):
    return dot(own, params, q, k, s, past) / np.sqrt(len(k))


def general(own, params, q, k, s, past):
    return q @ (params["key_kernel"].T @ k)


def concat(own, params, q, k, s, past):
    W = np.concatenate([params["query_kernel"], params["key_kernel"]])[:, 0]
    return W @ np.concatenate([q, k])


def sums(own, params, q, k, s, past):
    """W q + U m + b, and what the coverage adds."""
    total = q @ params["query_kernel"] + k @ params["key_kernel"] + params["bias"]
    if own.coverage:
        total = total + params["coverage_scale"] * past["coverage"][s]
    return total


def additive(own, params, q, k, s, past):
    return params["score_scale"] @ np.tanh(sums(own, params, q, k, s, past))


def location_aware(own, params, q, k, s, past):
    f, before = np.zeros(own.filters), (own.width - 1) // 2
    for j in range(own.width):
        at = s - before + j
        if 0 <= at < len(past["alignment"]):
            f += params["filters"][j] * past["alignment"][at]
    total = sums(own, params, q, k, s, past) + f @ params["location_kernel"]
    return params["score_scale"] @ np.tanh(total)


def monotonic(own, params, query, keys, values, past):
    """Hard: from where it is it goes on to the first position that it takes."""
    v = params["score_gain"] * params["score_scale"]
    v = v / np.sqrt((params["score_scale"] ** 2).sum())
    a = np.zeros(len(keys))
    here = np.flatnonzero(past["alignment"])
    for s in range(here[0] if len(here) else len(keys), len(keys)):
        e = v @ np.tanh(sums(own, params, query, keys[s], s, past))
        if sigmoid(e + params["score_bias"]) > 0.5:
            a[s] = 1
            return a, values[s]
    return a, np.zeros_like(values[0])


def multi_head(own, params, query, keys, values, past):
    width, contexts, weights = own.size // own.heads, [], []
    for head in range(own.heads):
        mine = slice(head * width, (head + 1) * width)
        Q, K, V = (params[f"{n}_kernel"][:, mine] for n in ("query", "key", "value"))
        e = np.array([(query @ Q) @ (k @ K) for k in keys]) / np.sqrt(width)
        a = NORMALIZERS[own.normalize](e)
        weights.append(a)
        contexts.append(sum(w * (v @ V) for w, v in zip(a, values, strict=True)))
    return sum(weights) / own.heads, np.concatenate(contexts) @ params["output_kernel"]


ATTENTIONS = {
    "Dot": by_scores(dot),
    "ScaledDot": by_scores(scaled_dot),
    "General": by_scores(general),
    "Concat": by_scores(concat),
    "Additive": by_scores(additive),
    "LocationAware": by_scores(location_aware),
    "Monotonic": monotonic,
    "MultiHead": multi_head,
}
