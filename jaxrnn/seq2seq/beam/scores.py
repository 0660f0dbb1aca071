"""What finished hypotheses are ranked by."""

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxrnn import checks
from jaxrnn.typing import Array, PyTree


class Scoring(NamedTuple):
    """Weights of a hypothesis' length and coverage.

    ::

      lp(n) = ((base + n) / (base + 1)) ** alpha
      cp = coverage * sum_s log(min(sum_t a_ts, 1))
      score = log p / lp(n) + cp

    Attributes:
      base: 5 in Wu et al. 2016; with 0, and alpha 1, the score is a mean.
      alpha: 0: the score is log p.
      coverage: beta in Wu et al. 2016.
    """

    base: Any
    alpha: Any
    coverage: Any

    @classmethod
    def of(cls, length_penalty: Any, coverage_penalty: Any) -> "Scoring":
        """From the arguments of `beam_search`, as data: others are no other program."""
        mean = isinstance(length_penalty, str)
        weights = (0, 1) if mean else (5, length_penalty)
        return cls(*map(number, (*weights, coverage_penalty)))

    def cast(self, dtype: Any) -> "Scoring":
        """The same, in the dtype of the scores."""
        return Scoring(*(jnp.asarray(weight, dtype) for weight in self))

    def __call__(
        self, log_probs: Array, lengths: Array, covered: Array | None = None
    ) -> Array:
        """Scores of hypotheses.

        Args:
          log_probs: `[...]`, at most 0.
          lengths: `[...]` or `[]`, integers. The empty hypothesis counts as one symbol.
          covered: `[...]`, sum_s log(min(sum_t a_ts, 1)), or None.
        """
        n = jnp.maximum(lengths, 1).astype(log_probs.dtype)
        scores = log_probs / ((self.base + n) / (self.base + 1)) ** self.alpha
        if covered is None:
            return scores
        # What is impossible may have looked nowhere: its alignment may be no number.
        covered = jnp.where(jnp.isnan(covered), -jnp.inf, self.coverage * covered)
        return jnp.where(log_probs > -jnp.inf, scores + covered, -jnp.inf)

    def bound(self, log_probs: Array, length: Array, steps: int) -> Array:
        """What no hypothesis can exceed that goes on from these.

        The log-probability cannot rise, nor the coverage term above 0; and the length
        penalty, monotone in the length, is at its best after the next step or the last.
        """
        following = jnp.minimum(length + 1, steps)
        ends = (self(log_probs, n) for n in (following, jnp.int32(steps)))
        return jnp.maximum(*ends)


def covered(coverage: Array, real: Array | None) -> Array:
    """sum_s log(min(coverage_s, 1)), over real positions.

    Args:
      coverage: `[..., S]`, the alignments' sum over time.
      real: `[..., S]` boolean, or None: all.

    Returns:
      `[...]`; finite, as a position that was never looked at counts as the smallest
      normal number.
    """
    tiny = jnp.finfo(coverage.dtype).tiny
    logs = jnp.log(jnp.clip(coverage, tiny, 1))
    return jnp.sum(logs, axis=-1, where=real)


def real_positions(context: PyTree, size: int) -> Array | None:
    """Which of `size` source positions are real, `[*batch, S]`: by the context's `mask`
    or `lengths`; None if it has neither."""
    given = context if isinstance(context, dict) else {}
    if given.get("mask") is not None:
        return jnp.asarray(given["mask"])
    if given.get("lengths") is not None:
        return jnp.arange(size) < jnp.asarray(given["lengths"])[..., None]
    return None


def check_scoring(length_penalty: Any, coverage_penalty: Any, collect: Any) -> None:
    """Raise for penalties out of range, where they are known."""
    if isinstance(length_penalty, str):
        if length_penalty != "average":
            raise ValueError(
                "`length_penalty` must be a number or 'average', "
                f"got {length_penalty!r}"
            )
    elif not math.isfinite(_known(length_penalty=length_penalty)):
        raise ValueError(f"`length_penalty` must be finite, got {length_penalty}")
    finite_weight(coverage_penalty=coverage_penalty)
    if collect is None and not is_zero(coverage_penalty):
        raise ValueError(
            "`coverage_penalty` needs the alignments: give `collect`, such as "
            "`lambda carry: carry.alignment`"
        )


def finite_weight(**weights: Any) -> None:
    """Raise unless every named number is at least 0 and finite."""
    for name, value in weights.items():
        if not 0 <= _known(**{name: value}) < math.inf:
            raise ValueError(f"`{name}` must be at least 0 and finite, got {value}")


def _known(**weight: Any) -> float:
    """The named number, 0 where its value cannot be looked at; or an error."""
    ((name, value),) = weight.items()
    if not checks.concrete(value):
        return 0.0
    if value is None or isinstance(value, str) or np.shape(value) != ():
        raise TypeError(f"`{name}` must be a number, got {value!r}")
    return float(value)


def is_zero(weight: Any) -> bool:
    """Whether it is known to be zero."""
    return isinstance(weight, int | float) and weight == 0


def number(weight: Any) -> Any:
    """As an array, whose value is no part of a program."""
    return np.float64(weight) if checks.concrete(weight) else weight
