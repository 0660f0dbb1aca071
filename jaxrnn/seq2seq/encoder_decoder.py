"""Many to many of another length: one cell reads, another writes."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cell import Cell
from jaxrnn.checks import inside, kind
from jaxrnn.product import cast
from jaxrnn.seq2seq.bridge import Bridge, states_of, with_states
from jaxrnn.typing import Array, Key, PyTree, Shape, Size
from jaxrnn.unroll import unroll
from jaxrnn.unroll.leaves import restarting
from jaxrnn.unroll.masks import mask_from_lengths
from jaxrnn.wrapper import Wrapper


class EncoderDecoder(Wrapper):
    """A decoder that starts from the last carry of an encoder, and may look at more.

    ::

      carry, memory = unroll(encoder, source)
      carry, ys = unroll(decoder, inputs, bridge(carry), context={"memory": memory})

    It is a cell, the decoder, that reads its source as context, `context={"source":
    source, "lengths": lengths}`: `[*batch, S, ...]`, batch first like all context, and
    `[*batch]`, which may be missing. So `unroll` over the targets, one step late, is
    teacher forcing, `unroll_loss` trains it, and `generate` lets it write by itself.

    The decoder finds in its context, beside what is given, the encoder's outputs as
    `memory` `[*batch, S, n]` and, where there are lengths, its `mask`: an `Attend` in
    it looks at them. A source of length 0 is what the encoder starts from, and a memory
    without a position.

    Args:
      cell: the decoder; its parameters are under `cell`.
      encoder: any cell, both directions too; its parameters are under `encoder`.
      source_size: the size of one input of the encoder; None for token ids.
      bridge: makes the decoder's carry of the encoder's; its parameters are under
        `bridge`. None: it is handed on leaf by leaf, so their layers must have the same
        sizes. Where an `Attend` looked is not handed on.

    References:
      Sutskever, Vinyals, Le 2014; Cho et al. 2014; Bahdanau, Cho, Bengio 2015; lectures
      001, 002 and 004.

    Example:
      >>> import jax.numpy as jnp, jaxrnn as jr
      >>> encoder = jr.Stack(jr.Embed(9, 3), jr.Bidirectional(jr.GRU(4)))
      >>> attend = jr.Attend(jr.GRU(5), jr.attention.Additive(6), memory_size=8)
      >>> decoder = jr.Stack(jr.Embed(7, 3), attend, jr.Dense(7))
      >>> model = jr.EncoderDecoder(decoder, encoder=encoder, bridge=jr.Bridge())
      >>> params = model.init(jax.random.key(0))
      >>> context = {"source": jnp.zeros((2, 5), int), "lengths": jnp.array([5, 3])}
      >>> targets = jnp.array([[1, 4], [2, 0], [3, 0]])  # [T, B]; 0 starts and ends
      >>> inputs = jnp.pad(targets, ((1, 0), (0, 0)))[:-1]
      >>> jr.unroll(model, params, inputs, context=context)[1].shape
      (3, 2, 7)
      >>> first = jnp.zeros(2, int)
      >>> jr.generate(model, params, first, steps=6, context=context)[1].shape
      (6, 2)
    """

    encoder: Cell = dataclasses.field(kw_only=True)
    source_size: Size | None = dataclasses.field(default=None, kw_only=True)
    bridge: Bridge | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.encoder, Cell):
            raise TypeError(f"`encoder` must be a cell, got {self.encoder!r}")
        if not self.encoder.has_memory:
            raise ValueError(f"`encoder` must have a memory, got {self.encoder}")
        if not isinstance(self.bridge, Bridge | None):
            raise TypeError(f"`bridge` must be a `Bridge`, got {self.bridge!r}")
        super().__post_init__()
        self.check_recurrent()

    @property
    def causal(self) -> bool:
        return self.cell.causal  # the encoder has read everything before

    def layers(
        self, params: PyTree, input_size: Size | None = None
    ) -> Iterator[tuple[str, Cell, PyTree, Size | None]]:
        yield "encoder", self.encoder, params["encoder"], self.source_size
        yield from super().layers(params, input_size)

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        cell_key, encoder_key = jax.random.split(key)
        params = super().init(cell_key, input_size)
        params["encoder"] = self.encoder.init(encoder_key, self.source_size)
        if self.bridge is not None:
            last, first = jax.eval_shape(self._carries_of_one_row, params)
            own, dtype = jax.random.fold_in(key, 2), self.param_dtype or jnp.float32
            params["bridge"] = self.bridge.init(own, last, first, dtype)
        return params

    def prepare(
        self,
        params: PyTree,
        *,
        key: Key | None = None,
        context: PyTree = None,
        **given: Any,
    ) -> PyTree:
        if not isinstance(context, dict) or "source" not in context:
            raise ValueError(
                "`EncoderDecoder` needs a source: give `context={'source': ...}`"
            )
        own, key = (None, None) if key is None else jax.random.split(key)
        start, seen = self._read(params["encoder"], context, own)
        given |= {"key": key, "context": context | seen}
        ready = super().prepare({"cell": params["cell"]}, **given) | {"start": start}
        if self.bridge is not None:
            ready["bridge"] = cast(params["bridge"], self.dtype)
        return ready

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> PyTree:
        plain, start = super().initial_carry(ready, batch_shape), ready["start"]
        for a in jax.tree.leaves(start):
            if a.shape[: len(batch_shape)] != batch_shape:
                raise ValueError(
                    f"`source` must start with the batch axes {batch_shape}, and the "
                    f"encoder ended in {kind(a)}"
                )
        if self.bridge is not None:
            return self.bridge(ready["bridge"], start, plain, len(batch_shape))
        expected, got = map(jax.tree.leaves, (states_of(plain), states_of(start)))
        if [a.shape for a in got] != [a.shape for a in expected]:
            raise ValueError(
                "the encoder's last carry must fit the decoder, leaf by leaf, or give "
                f"a `bridge`: expected {[kind(a) for a in expected]}, got "
                f"{[kind(a) for a in got]}"
            )
        pairs = zip(got, expected, strict=True)
        return with_states(plain, [a.astype(b.dtype) for a, b in pairs])

    def over(
        self, ready: PyTree, carry: PyTree, xs: PyTree, run: Any
    ) -> tuple[PyTree, PyTree]:
        carry = restarting(carry, self.initial_carry(ready, run.batch_shape))
        return super().over(ready, carry, xs, run)

    def _read(
        self, params: PyTree, context: PyTree, key: Key | None
    ) -> tuple[PyTree, dict[str, Array]]:
        """The encoder's last carry, and what a decoder may look at."""
        source, lengths = context["source"], context.get("lengths")
        ndims = jax.tree.broadcast(self.encoder.input_ndim, source)
        time_first = lambda a, n: jnp.moveaxis(jnp.asarray(a), jnp.ndim(a) - 1 - n, 0)
        others = {k: v for k, v in context.items() if k not in ("source", "lengths")}
        with inside(f"encoder of EncoderDecoder, {self.encoder}"):
            start, ys = unroll(
                self.encoder,
                params,
                jax.tree.map(time_first, source, ndims),
                lengths=lengths,
                key=key,
                context=others or None,
            )
        (a, *_), (n, *_) = jax.tree.leaves(source), jax.tree.leaves(ndims)
        batch_shape = jnp.shape(a)[: jnp.ndim(a) - 1 - n]
        if not isinstance(ys, jax.Array) or ys.ndim != len(batch_shape) + 2:
            return start, {}
        seen = {"memory": jnp.moveaxis(ys, 0, -2)}
        if lengths is not None:
            real = mask_from_lengths(lengths, len(ys), batch_shape)
            seen["mask"] = jnp.moveaxis(real, 0, -1)
        return start, seen

    def _carries_of_one_row(self, params: PyTree) -> tuple[PyTree, PyTree]:
        """The encoder's last and the decoder's own first, of a source of one step."""
        size = () if self.source_size is None else self.source_size
        size = size if isinstance(size, tuple) else (size,)
        source = jnp.zeros((1, *size), jnp.float32 if size else jnp.int32)
        encoder, context = params["encoder"], {"source": source}
        start, seen = self._read(encoder, context, jax.random.key(0))
        ready = self.cell.prepare(params["cell"], context=context | seen)
        return start, self.cell.initial_carry(ready, ())
