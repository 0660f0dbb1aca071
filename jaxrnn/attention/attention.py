"""The contract of every attention: what a query finds in a memory."""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxrnn import checks
from jaxrnn.attention.normalize import NORMALIZERS
from jaxrnn.checks import kind
from jaxrnn.spec import Spec
from jaxrnn.typing import Array, Key, PyTree


class Look(NamedTuple):
    """Where an attention looked.

    Attributes:
      alignment: `[*batch, S]`, the weights of the positions.
      coverage: `[*batch, S]`, the sum of the alignments so far; None where the
        attention does not ask for it.
    """

    alignment: Array
    coverage: Array | None = None


class Attention(Spec):
    """How much of each position of a memory a query reads.

    ::

      e_s = score(query, key_s)
      a   = normalize(e)                       over the real positions s
      c   = sum_s a_s value_s                  the context vector

    By hand, for one sequence; `Attend` does it for a cell::

      ready = attention.read(params, memory, mask)
      look = attention.start(ready)
      for query in queries:
          look, c = attention.look(ready, query, look)

    An attention of your own states `score`, and `init` and `keys` if it has parameters.
    A row without a real position reads zeros, and its gradients are zero.

    Args:
      normalize: "softmax" or "sparsemax", which leaves far positions without weight.

    Example:
      >>> import jax, jaxrnn as jr
      >>> score = jr.attention.ScaledDot()
      >>> memory = jax.random.normal(jax.random.key(0), (2, 5, 3))  # [B, S, M]
      >>> context, weights = score({}, jnp.ones((2, 3)), memory)
      >>> context.shape, weights.shape
      ((2, 3), (2, 5))
    """

    normalize: str = dataclasses.field(default="softmax", kw_only=True)

    def __post_init__(self) -> None:
        checks.one_of(tuple(NORMALIZERS), normalize=self.normalize)
        for field in dataclasses.fields(self):
            if field.type in (int, "int"):
                checks.positive(**{field.name: getattr(self, field.name)})
        super().__post_init__()

    @property
    def covers(self) -> bool:
        """Whether scores depend on the coverage."""
        return False

    def init(
        self,
        key: Key,
        query_size: int,
        memory_size: int,
        value_size: int | None = None,
        *,
        dtype: DTypeLike = jnp.float32,
    ) -> PyTree:
        """Random parameters: a dict of arrays, empty where there are none.

        Args:
          key: randomness.
          query_size: Q.
          memory_size: of one key.
          value_size: of one value; None: values are the keys' memory.
          dtype: of the parameters.
        """
        return {}

    def context_size(self, memory_size: int) -> int:
        """The size of a context vector, from that of a value."""
        return memory_size

    def read(
        self,
        params: PyTree,
        memory: Array,
        mask: Array | None = None,
        *,
        values: Array | None = None,
    ) -> PyTree:
        """All that no query changes, once a sequence: keys and values, projected.

        Args:
          params: what `init` returned.
          memory: `[*batch, S, memory_size]`; what is not real may hold anything.
          mask: `[*batch, S]`, boolean, True = real; None: all are.
          values: `[*batch, S, value_size]`; None: the memory.
        """
        values = memory if values is None else values
        if mask is not None:
            blank = lambda a: jnp.where(mask[..., None], a, jnp.zeros((), a.dtype))
            memory, values = blank(memory), blank(values)
        keys, values = self.keys(params, memory), self.values(params, values)
        return params | {"keys": keys, "values": values, "real": mask}

    def keys(self, params: PyTree, memory: Array) -> Array:
        """What queries are compared with, `[*batch, S, any]`."""
        return memory

    def values(self, params: PyTree, values: Array) -> Array:
        """What contexts are made of, `[*batch, S, any]`."""
        return values

    def start(self, ready: PyTree) -> Look:
        """Before the first look: zeros."""
        zeros = jnp.zeros_like(ready["keys"][..., 0])
        return Look(zeros, zeros if self.covers else None)

    def draw(self, ready: PyTree, key: Key | None) -> tuple[PyTree, Key | None]:
        """The noise of one look, and the key for what else draws."""
        return None, key

    def look(
        self, ready: PyTree, query: Array, past: Look, *, noise: PyTree = None
    ) -> tuple[Look, Array]:
        """One look.

        Args:
          ready: what `read` returned.
          query: `[*batch, Q]`.
          past: the look before.
          noise: what `draw` returned.

        Returns:
          The look, and the context vector `[*batch, context_size]`.
        """
        scores = self.score(ready, query, past)
        alignment = self.align(ready, scores, past, noise)
        context = jnp.einsum("...s,...sm->...m", alignment, ready["values"])
        return followed(past, alignment), context

    def score(self, ready: PyTree, query: Array, past: Look) -> Array:
        """How well each position fits the query, `[*batch, S]`."""
        raise NotImplementedError(f"{type(self).__name__} must define `score`")

    def align(self, ready: PyTree, scores: Array, past: Look, noise: PyTree) -> Array:
        """From scores `[*batch, S]` to the alignment."""
        return NORMALIZERS[self.normalize](scores, ready["real"])

    def __call__(
        self,
        params: PyTree,
        query: Array,
        key: Array,
        value: Array | None = None,
        mask: Array | None = None,
    ) -> tuple[Array, Array]:
        """A single look, in the field's words.

        Args:
          params: what `init` returned.
          query: `[*batch, Q]`.
          key: `[*batch, S, K]`.
          value: `[*batch, S, M]`; None: the keys.
          mask: `[*batch, S]`, boolean, True = real; None: all are.

        Returns:
          The context `[*batch, context_size]` and the weights `[*batch, S]`.

        Raises:
          ValueError: for shapes that do not fit.
        """
        query, key = jnp.asarray(query), jnp.asarray(key)
        value = key if value is None else jnp.asarray(value)
        if key.ndim < 2 or query.shape[:-1] != key.shape[:-2]:
            raise ValueError(
                "`key` must have shape (*batch, S, K), its batch axes those of `query`,"
                f" {query.shape[:-1]}, got {key.shape}"
            )
        if value.shape[:-1] != key.shape[:-1]:
            raise ValueError(
                f"`value` must have shape (*batch, S, M), (*batch, S) = "
                f"{key.shape[:-1]}, got {value.shape}"
            )
        ready = self.read(params, key, real_positions(mask, key), values=value)
        look, context = self.look(ready, query, self.start(ready))
        return context, look.alignment


def followed(past: Look, alignment: Array) -> Look:
    """The look after another."""
    covered = None if past.coverage is None else past.coverage + alignment
    return Look(alignment, covered)


def real_positions(mask: Array | None, memory: Array) -> Array | None:
    """The mask of a memory `[*batch, S, M]`, or an error that says what it must be."""
    if mask is None:
        return None
    mask = jnp.asarray(mask)
    if mask.dtype != bool or mask.shape != memory.shape[:-1]:
        raise ValueError(
            "`mask` of a memory must be boolean, of shape (*batch, S) = "
            f"{memory.shape[:-1]}, got {kind(mask)}"
        )
    return mask
