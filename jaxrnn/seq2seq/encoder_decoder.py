"""Many to many of another length: one cell reads, another writes."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cell import Cell
from jaxrnn.checks import kind
from jaxrnn.typing import Key, PyTree, Shape, Size
from jaxrnn.unroll import unroll
from jaxrnn.unroll.leaves import restarting
from jaxrnn.wrapper import Wrapper


class EncoderDecoder(Wrapper):
    """A decoder that starts from the last carry of an encoder.

    ::

      carry, _ = unroll(encoder, source)
      carry, ys = unroll(decoder, inputs, carry)

    It is a cell, the decoder, that reads its source as context, `context={"source":
    source, "lengths": lengths}`: `[*batch, S, ...]`, batch first like all context, and
    `[*batch]`, which may be missing. So `unroll` over the targets, one step late, is
    teacher forcing, `unroll_loss` trains it, and `generate` lets it write by itself.

    Args:
      cell: the decoder; its parameters are under `cell`.
      encoder: any cell; its parameters are under `encoder`. Its carry is handed on leaf
        by leaf, so their layers must have the same sizes.
      source_size: the size of one input of the encoder; None for token ids.

    References:
      Sutskever, Vinyals, Le 2014; Cho et al. 2014; lectures 001, 002 and 004.

    Example:
      >>> import jax.numpy as jnp, jaxrnn as jr
      >>> encoder = jr.Stack(jr.Embed(9, 3), jr.GRU(4))
      >>> decoder = jr.Stack(jr.Embed(7, 3), jr.GRU(4), jr.Dense(7))
      >>> model = jr.EncoderDecoder(decoder, encoder=encoder)
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

    def __post_init__(self) -> None:
        if not isinstance(self.encoder, Cell):
            raise TypeError(f"`encoder` must be a cell, got {self.encoder!r}")
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
        return params | {"encoder": self.encoder.init(encoder_key, self.source_size)}

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
        after_time = self.encoder.input_ndim
        time_first = lambda a: jnp.moveaxis(a, jnp.ndim(a) - 1 - after_time, 0)
        start, _ = unroll(
            self.encoder,
            params["encoder"],
            jax.tree.map(time_first, context["source"]),
            lengths=context.get("lengths"),
            key=own,
        )
        given |= {"key": key, "context": context}
        return super().prepare({"cell": params["cell"]}, **given) | {"start": start}

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> PyTree:
        plain = super().initial_carry(ready, batch_shape)
        leaves, tree = jax.tree.flatten(plain)
        start = jax.tree.leaves(ready["start"])
        if [a.shape for a in start] != [a.shape for a in leaves]:
            raise ValueError(
                "the encoder's last carry must fit the decoder, leaf by leaf: expected "
                f"{[kind(a) for a in leaves]}, got {[kind(a) for a in start]}"
            )
        handed = zip(start, leaves, strict=True)
        return jax.tree.unflatten(tree, [a.astype(b.dtype) for a, b in handed])

    def over(
        self, ready: PyTree, carry: PyTree, xs: PyTree, run: Any
    ) -> tuple[PyTree, PyTree]:
        carry = restarting(carry, self.initial_carry(ready, run.batch_shape))
        return super().over(ready, carry, xs, run)
