"""Text drawn from a character language model, as it is drawn."""

import functools
import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn import checks
from jaxrnn.cell import Cell
from jaxrnn.data import Vocabulary
from jaxrnn.seq2seq.generate import feed_back
from jaxrnn.seq2seq.samplers import Sampler
from jaxrnn.typing import Array, Key, PyTree

# Calling a compiled function costs about as much as a step of a small model.
CHUNK = 16


def sample(
    model: Cell,
    params: PyTree,
    vocabulary: Vocabulary,
    *,
    length: int,
    prime: str = "",
    temperature: float = 1.0,
    seed: int = 0,
) -> Iterator[str]:
    """Text that a character language model writes, one `step` a character.

    ::

      for t in range(len(prime) + length):
          symbol = prime[t] if t < len(prime) else draw(softmax(logits / temperature))
          carry, logits = model.step(ready, carry, symbol)

    It is compiled once, whatever the prime and the length.

    Args:
      model: ids in, logits out.
      params: of the model.
      vocabulary: its characters.
      length: characters to draw.
      prime: a text to go on from; "" stands for the beginning of a line.
      temperature: below 1 the likely becomes more likely; at 0 the likeliest is taken.
      seed: the same seed draws the same text.

    Returns:
      An iterator over pieces of text, a few characters each, without the prime.

    Raises:
      ValueError: the prime has characters outside the vocabulary, or a number is out
        of range.

    Example:
      >>> import jaxrnn as jr
      >>> model = jr.Stack(jr.Embed(4, 3), jr.GRU(5), jr.Dense(4))
      >>> params = model.init(jax.random.key(0))
      >>> text = "".join(
      ...     sample(model, params, Vocabulary("ehlo"), length=20, prime="he")
      ... )
      >>> len(text), set(text) <= set("helo")
      (20, True)
    """
    checks.positive(length=length)
    if not 0 <= temperature < math.inf:
        raise ValueError(
            f"`temperature` must be at least 0 and finite, got {temperature}"
        )
    given = _encoded(vocabulary, prime)
    return _pieces(model, params, vocabulary, given, (length, temperature, seed))


def _encoded(vocabulary: Vocabulary, prime: str) -> np.ndarray:
    if not prime:
        first = "\n" if "\n" in vocabulary.characters else vocabulary.characters[0]
        return vocabulary.encode(first)
    try:
        return vocabulary.encode(prime)
    except ValueError as error:
        raise ValueError(str(error).replace("`text`", "`prime`")) from None


def _pieces(
    model: Cell,
    params: PyTree,
    vocabulary: Vocabulary,
    prime: np.ndarray,
    how: tuple[int, float, int],
) -> Iterator[str]:
    length, temperature, seed = how
    steps = len(prime) - 1 + length
    ready = model.prepare(params)
    state = (model.initial_carry(ready, ()), jnp.int32(prime[0]))
    key, sampler = jax.random.key(seed), Sampler(jnp.float32(temperature))
    for start in range(0, steps, CHUNK):
        given = prime[1:][start : start + CHUNK]
        given = np.pad(given, (0, CHUNK - len(given)), constant_values=-1)
        stretch = (given, np.int32(start))
        state, symbols = _draw(model, ready, state, stretch, (key, sampler))
        drawn = np.asarray(symbols)[max(len(prime) - 1 - start, 0) : steps - start]
        if len(drawn):
            yield vocabulary.decode(drawn)


@functools.partial(jax.jit, static_argnums=0)
def _draw(
    model: Cell,
    ready: PyTree,
    state: tuple[PyTree, Array],
    stretch: tuple[Array, Array],
    how: tuple[Key, Sampler],
) -> tuple[tuple[PyTree, Array], Array]:
    """`CHUNK` steps: the characters that are given, and drawn ones where -1 is."""
    (given, start), (key, sampler) = stretch, how
    times = start + jnp.arange(CHUNK, dtype=jnp.int32)
    return feed_back(model, ready, state, sampler, (key, times), given=given)
