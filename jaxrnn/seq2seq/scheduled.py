"""Training between being told what was written and reading one's own writing."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.cell import Cell
from jaxrnn.seq2seq.generate import Draw
from jaxrnn.seq2seq.samplers import greedy
from jaxrnn.typing import Array, Key, PyTree, Shape
from jaxrnn.unroll import unroll
from jaxrnn.unroll.masks import mask_from_lengths, zero_padding
from jaxrnn.wrapper import Wrapper

# Numbers of steps that no sequence comes to: what they fold into a key is free.
_COINS, _SYMBOLS = 0xFFFFFFFE, 0xFFFFFFFD


class OwnSymbolCarry(NamedTuple):
    """The carry of the model inside, and what it wrote last, `[*batch]`."""

    cell: PyTree
    symbol: Array


class OwnSymbols(Wrapper):
    """A model that reads its own last symbol wherever the input is -1.

    ::

      x = where(x < 0, sampler(y'), x)
      h, y = cell(x, h')

    It runs as any cell does: with lengths, with losses, in chunks. No gradient goes
    through the choice of a symbol. Before the first step the last symbol is 0.

    Args:
      cell: a model from ids to logits that can step; its parameters are under `cell`.
      sampler: from logits and a key to ids: `greedy`, a `Sampler`, or a function.

    References:
      Bengio, Vinyals, Jaitly, Shazeer 2015.

    Example:
      >>> import jaxrnn as jr
      >>> model = jr.Stack(jr.Embed(5, 3), jr.GRU(4), jr.Dense(5))
      >>> params = model.init(jax.random.key(0))
      >>> xs = jnp.array([2, -1, -1])
      >>> carry, logits = jr.unroll(OwnSymbols(model), {"cell": params}, xs)
      >>> _, ids = jr.generate(model, params, xs[0], steps=3)
      >>> bool((logits.argmax(-1) == ids).all())
      True
    """

    sampler: Any = greedy

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cell.input_ndim != 0 or not self.cell.causal:
            raise ValueError(
                f"`{type(self).__name__}` needs a model of ids that can step, got "
                f"{self.cell}"
            )

    @property
    def has_memory(self) -> bool:
        return True

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> OwnSymbolCarry:
        carry = super().initial_carry(ready, batch_shape)
        return OwnSymbolCarry(carry, jnp.zeros(batch_shape, jnp.int32))

    def project(self, ready: PyTree, x: PyTree, *, key: Key | None = None) -> PyTree:
        return x, key  # which symbol it is, the step before says

    def recur(
        self, ready: PyTree, carry: OwnSymbolCarry, z: PyTree
    ) -> tuple[OwnSymbolCarry, PyTree]:
        x, key = z
        x = jnp.where(x < 0, carry.symbol.astype(x.dtype), x)
        z = super().project(ready, x, key=key)
        following, y = super().recur(ready, carry.cell, z)
        own = None if key is None else jax.random.fold_in(key, _SYMBOLS)
        symbol = self.sampler(jax.lax.stop_gradient(self.cell.cast_output(y)), own)
        return OwnSymbolCarry(following, symbol.astype(jnp.int32)), y

    def over(
        self, ready: PyTree, carry: OwnSymbolCarry, xs: PyTree, run: Any
    ) -> tuple[OwnSymbolCarry, PyTree]:
        return run.scan(self, ready, carry, xs)

    def hidden(self, carry: OwnSymbolCarry) -> Array:
        return self.cell.hidden(carry.cell)

    def with_hidden(self, carry: OwnSymbolCarry, hidden: Array) -> OwnSymbolCarry:
        return carry._replace(cell=self.cell.with_hidden(carry.cell, hidden))

    def check_input(self, xs: Array) -> None:
        self.cell.check_input(jnp.maximum(xs, 0))


def scheduled(
    model: Cell,
    params: PyTree,
    inputs: Array,
    rate: float | Array,
    *,
    key: Key,
    sampler: Draw = greedy,
    context: PyTree = None,
    lengths: Array | None = None,
    checkpoint: int | str | None = None,
) -> tuple[PyTree, PyTree]:
    """Scheduled sampling: at random the model reads what it wrote, not what is given.

    ::

      for t in range(T):
          x = sampler(ys[t - 1]) if t > 0 and uniform() < rate else inputs[t]
          carry, ys[t] = model.step(ready, carry, x)

    A coin is tossed for every row and step. At rate 0 it is `unroll` under that key, at
    rate 1 the road of `generate`. The rate is data: another value is no other program.

    Args:
      model: a model from ids to logits that can step.
      params: of the model.
      inputs: `[T, *batch]`, ids: the targets, one step late.
      rate: in [0, 1], growing as training goes on (`jaxrnn.training` has schedules).
      key: randomness: of the coins, the sampler, and the model's dropout.
      sampler: from logits and a key to ids: `greedy`, a `Sampler`, or a function. One
        made anew compiles anew.
      context, lengths, checkpoint: as for `unroll`.

    Returns:
      `(carry, logits)`, as `unroll` does.

    Raises:
      ValueError, TypeError: for arguments that do not fit, by name.

    References:
      Bengio, Vinyals, Jaitly, Shazeer 2015, section 2.4.

    Example:
      >>> import jaxrnn as jr
      >>> model = jr.Stack(jr.Embed(5, 3), jr.GRU(4), jr.Dense(5))
      >>> params = model.init(jax.random.key(0))
      >>> inputs = jnp.array([[0, 0], [3, 1], [2, 4]])  # [T, B]
      >>> key = jax.random.key(1)
      >>> carry, logits = scheduled(model, params, inputs, 0.25, key=key)
      >>> logits.shape
      (3, 2, 5)
    """
    if checks.concrete(rate):
        checks.probability(rate=float(rate))
    if key is None:
        raise ValueError("`scheduled` tosses coins: `key` must be given")
    inputs = jnp.asarray(inputs)
    if not jnp.issubdtype(inputs.dtype, jnp.integer) or inputs.ndim == 0:
        raise TypeError(
            f"`inputs` must be ids of shape [T, *batch], got {checks.kind(inputs)}"
        )
    own_symbols, inputs = OwnSymbols(model, sampler), inputs.astype(jnp.int32)
    if checks.concrete(inputs, lengths):
        model.check_input(_real(inputs, lengths))
    rate = jnp.asarray(rate, jnp.float32)
    own = jax.random.bernoulli(jax.random.fold_in(key, _COINS), rate, inputs.shape)
    xs = jnp.where(own.at[:1].set(False), -1, inputs)
    carry, ys = unroll(
        own_symbols,
        {"cell": params},
        xs,
        key=key,
        context=context,
        lengths=lengths,
        checkpoint=checkpoint,
    )
    return carry.cell, ys


def _real(inputs: Array, lengths: Array | None) -> Array:
    """The inputs, 0 where they are padding."""
    if lengths is None:
        return inputs
    steps, *batch_shape = inputs.shape
    return zero_padding(mask_from_lengths(lengths, steps, tuple(batch_shape)), inputs)
