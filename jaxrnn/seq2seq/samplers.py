"""From logits to the next symbol."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn import checks
from jaxrnn.typing import Array, Key


def greedy(logits: Array, key: Key | None = None) -> Array:
    """The likeliest symbol, the first of equals.

    Args:
      logits: `[..., V]`.
      key: is not used.

    Returns:
      int32 `[...]`.

    Example:
      >>> greedy(jnp.array([[0.0, 2.0, 1.0], [5.0, 0.0, 5.0]]))
      Array([1, 0], dtype=int32)
    """
    return jnp.argmax(logits, axis=-1).astype(jnp.int32)


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=["temperature", "top_p"],
    meta_fields=["top_k"],
)
@dataclasses.dataclass(frozen=True)
class Sampler:
    """Draws a symbol from the distribution that logits state, or from its likely part.

    ::

      p = softmax(logits / temperature)
      p[v] = 0 unless v is among the top_k likeliest;     p = p / sum(p)
      p[v] = 0 unless those likelier than v have less than top_p of the mass
      symbol ~ p / sum(p)

    Of equally likely symbols the first counts as the likelier. Temperature and `top_p`
    are data: another value is no other program.

    Args:
      temperature: below 1 the likely becomes more likely; at 0 the likeliest is taken.
      top_k: how many symbols stay; None: all.
      top_p: the part of the mass that stays, in [0, 1]; 0 leaves the likeliest alone;
        None: all of it.

    Raises:
      ValueError, TypeError: for a value out of range; when called, if `top_k` exceeds
        the number of symbols, or if no logit of a row is finite (under jit, where
        values cannot be looked at, such a row gives symbol 0).

    References:
      Fan, Lewis, Dauphin 2018 (top-k); Holtzman et al. 2020 (top-p, the nucleus).

    Example:
      >>> logits = jnp.log(jnp.array([0.5, 0.3, 0.15, 0.05]))
      >>> draw = lambda sampler: {
      ...     int(sampler(logits, jax.random.key(seed))) for seed in range(20)
      ... }
      >>> draw(Sampler(top_k=2)), draw(Sampler(top_p=0.9)), draw(Sampler(0.0))
      ({0, 1}, {0, 1, 2}, {0})
    """

    temperature: float | Array = 1.0
    top_k: int | None = dataclasses.field(default=None, kw_only=True)
    top_p: float | Array | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        known = lambda value: isinstance(value, int | float)
        if known(self.temperature) and not 0 <= self.temperature < math.inf:
            raise ValueError(
                f"`temperature` must be at least 0 and finite, got {self.temperature}"
            )
        if known(self.top_p):
            checks.probability(top_p=self.top_p)  # type: ignore[arg-type]
        if self.top_k is not None:
            checks.positive(top_k=self.top_k)

    def __call__(self, logits: Array, key: Key | None) -> Array:
        """A symbol for each row.

        Args:
          logits: `[..., V]`, floating.
          key: randomness.

        Returns:
          int32 `[...]`.
        """
        if key is None:
            raise ValueError("a `Sampler` needs a `key` to draw with")
        logits = self._scaled(jnp.asarray(logits))
        drawn = jax.random.categorical(key, self._likely(logits)).astype(jnp.int32)
        cold = jnp.asarray(self.temperature) == 0
        return jnp.where(cold, greedy(logits), drawn)

    def _scaled(self, logits: Array) -> Array:
        if not jnp.issubdtype(logits.dtype, jnp.floating):
            raise TypeError(f"`logits` must be floating, got {logits.dtype}")
        if checks.concrete(logits):
            hopeless = ~np.isfinite(np.asarray(logits, np.float64)).any(axis=-1)
            if hopeless.any():
                raise ValueError("`logits` must have a finite value in every row")
        heat, top = jnp.asarray(self.temperature), jnp.max(logits, -1, keepdims=True)
        # Below 0, a temperature near 0 takes the logits to minus infinity at most.
        logits = logits - jnp.where(jnp.isfinite(top), top, 0)
        return logits / jnp.where(heat > 0, heat, 1).astype(logits.dtype)

    def _likely(self, logits: Array) -> Array:
        """The logits, minus infinity where a symbol cannot be drawn."""
        if self.top_k is None and self.top_p is None:
            return logits
        if self.top_k is not None and self.top_k > logits.shape[-1]:
            raise ValueError(
                "`top_k` must be at most the number of symbols, "
                f"{logits.shape[-1]}, got {self.top_k}"
            )
        order = jnp.argsort(-logits, axis=-1, stable=True)
        rank = jnp.argsort(order, axis=-1)
        if self.top_k is not None:
            logits = jnp.where(rank < self.top_k, logits, -jnp.inf)
        if self.top_p is not None:
            p = jnp.take_along_axis(jax.nn.softmax(logits), order, axis=-1)
            before = jnp.take_along_axis(jnp.cumsum(p, axis=-1) - p, rank, axis=-1)
            likely = (before < self.top_p) | (rank == 0)
            logits = jnp.where(likely, logits, -jnp.inf)
        return logits
