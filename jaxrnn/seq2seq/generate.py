"""One to many: a model that goes on by itself."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.cell import Cell
from jaxrnn.seq2seq.samplers import Sampler, greedy
from jaxrnn.typing import Array, Key, PyTree
from jaxrnn.unroll.origin import Origin

Draw = Callable[[Any, Key | None], Any]


def generate(
    model: Cell,
    params: PyTree,
    first: Array,
    carry: PyTree = None,
    *,
    steps: int,
    sampler: Draw = greedy,
    key: Key | None = None,
    start: int | Array = 0,
    context: PyTree = None,
) -> tuple[PyTree, Array]:
    """Feeds back to a model what it puts out. It gives what this loop gives, compiled::

      ready = model.prepare(params, context=context)
      carry = model.initial_carry(ready, batch_shape)
      for t in range(steps):
          carry, y = model.step(ready, carry, x)
          xs[t] = x = sampler(y, fold_in(key, start + t))

    To go on from a beginning that is given, run over all of it but the last step, and
    generate from that: `carry, _ = unroll(model, params, given[:-1])`, then
    `generate(model, params, given[-1], carry, ...)`. To start from an image or another
    vector, make it the carry, or give it as `context` to a model that reads one. Where
    a symbol ends what is written, `decode` stops there, and `beam_search` looks for the
    likeliest.

    Args:
      model: any cell that can step. Its dropout is off.
      params: of the model.
      first: the input of the first step, `[*batch, ...]`, such as token ids `[*batch]`.
      carry: the state to start from; None: the model's initial carry.
      steps: how many to generate.
      sampler: from an output and a key to the next input, of the shape of `first`:
        `greedy`, a `Sampler` for temperature, top-k and top-p, or any function. One
        made anew compiles anew, but for a `Sampler`. For a model that predicts its next
        input itself: `lambda y, key: y`.
      key: randomness; None if the sampler needs none.
      start: the number of the first step, where an earlier call began the sequence.
      context: what `model.prepare` may look at.

    Returns:
      `(carry, xs)`: the state after the last step, and what was generated,
      `[steps, *batch, ...]` in the dtype of `first`.

    Raises:
      ValueError, TypeError: for arguments that do not fit, by name.

    Example:
      >>> import jaxrnn as jr
      >>> model = jr.Stack(jr.Embed(5, 3), jr.GRU(4), jr.Dense(5))
      >>> params = model.init(jax.random.key(0))
      >>> options = {"sampler": jr.Sampler(0.8, top_p=0.9), "key": jax.random.key(1)}
      >>> carry, ids = generate(model, params, jnp.array([0, 2]), steps=7, **options)
      >>> ids.shape
      (7, 2)
    """
    checks.positive(steps=steps)
    if not isinstance(model, Cell):
        raise TypeError(f"`model` must be a cell, got {model!r}")
    if not model.causal:
        raise ValueError(f"`generate` needs a model that can step, not {model}")
    if isinstance(sampler, Sampler) and key is None:
        raise ValueError("`key` must be given for a `Sampler` to draw with")
    first = jnp.asarray(first)
    if first.ndim < model.input_ndim:
        raise ValueError(
            f"`first` must have {model.input_ndim} input axes for {model}, "
            f"got shape {first.shape}"
        )
    model.check_input(first)
    if not isinstance(sampler, Sampler):
        sampler = jax.tree_util.Partial(sampler)
    origin = Origin(params, carry, key, start, context)
    return _generated((model, steps), origin, first, sampler)


@functools.partial(jax.jit, static_argnums=0)
def _generated(
    options: tuple[Cell, int], origin: Origin, first: Array, sampler: Draw
) -> tuple[PyTree, Array]:
    model, steps = options
    batch_shape = first.shape[: first.ndim - model.input_ndim]
    # No key for the model: that would be training.
    ready, carry = origin._replace(key=None).begin(model, first[None], batch_shape)
    drawn = (origin.key, origin.start + jnp.arange(steps, dtype=jnp.int32))
    (carry, _), xs = feed_back(model, ready, (carry, first), sampler, drawn)
    return carry, xs


def feed_back(
    model: Cell,
    ready: PyTree,
    state: tuple[PyTree, Array],
    sampler: Draw,
    drawn: tuple[Key | None, Array],
    *,
    given: Array | None = None,
) -> tuple[tuple[PyTree, Array], Array]:
    """The loop of `generate`, inside a program.

    Args:
      model: the cell.
      ready: what its `prepare` returned.
      state: its carry, and its next input.
      sampler: from an output and a key to the next input.
      drawn: the key, and the numbers of the steps `[T]`.
      given: `[T, *batch]`, symbols to go on with in place of those drawn, -1 where
        there is none.

    Returns:
      The state after the last step, and what came after each.
    """
    key, times = drawn

    def one(state: tuple[PyTree, Array], inputs: Any) -> tuple[Any, Array]:
        (carry, x), (t, known) = state, inputs
        carry, y = model.step(ready, carry, x)
        following = sampler(y, None if key is None else jax.random.fold_in(key, t))
        if jnp.shape(following) != x.shape:
            raise ValueError(
                f"`sampler` must give the next input, of shape {x.shape}, "
                f"got {jnp.shape(following)} from outputs of shape {jnp.shape(y)}"
            )
        x = following.astype(x.dtype)
        x = x if known is None else jnp.where(known < 0, x, known)
        return (carry, x), x

    return jax.lax.scan(one, state, (times, given))
