"""A cell that looks at a memory at every step."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.attention.attention import Attention, Look, real_positions
from jaxrnn.attention.dot import General
from jaxrnn.attention.feeding import added, divided
from jaxrnn.cell import Cell
from jaxrnn.initializers import Initializer, LecunNormal
from jaxrnn.product import matmul, zeros
from jaxrnn.typing import Array, Key, PyTree, Shape, Size
from jaxrnn.wrapper import Wrapper


class AttendCarry(NamedTuple):
    """The carry of the cell inside, where it looked last, and what is fed back.

    Attributes:
      cell: the carry of the cell inside.
      look: the last step's `alignment` `[*batch, S]` and, where scores depend on it,
        the `coverage` so far.
      fed: `[*batch, size]`, the last output, where it is an input too; else None.
    """

    cell: PyTree
    look: Look
    fed: Array | None = None

    @property
    def alignment(self) -> Array:
        """`[*batch, S]`, the weights of the last step."""
        return self.look.alignment


class Seen(NamedTuple):
    """What an `Attend` puts out when it is asked for everything.

    Attributes:
      output: `[*batch, ...]`, what it puts out else.
      context: `[*batch, context_size]`.
      alignment: `[*batch, S]`.
    """

    output: Array
    context: Array
    alignment: Array


class Attend(Wrapper):
    """A cell that reads, beside its input, what its state looks for in a memory.

    ::

      a, c = attention(h', m)          look="before" (Bahdanau): the context vector c
      h, y = cell([x; c], h')          is an input

      h, _ = cell([x; y'], h')         look="after" (Luong): y', the last output, is one
      a, c = attention(h, m)           with `feed`
      y = tanh(W_c [c; h])

    The memory m comes as context, `context={"memory": ...}`, `[*batch, S, memory_size]`
    with the batch axes first, and beside it, where rows differ in length, `"mask"`,
    `[*batch, S]`, True at real positions; a row without any reads zeros. The carry
    holds the alignment: `unroll(..., collect=lambda carry: carry.alignment)` stacks it.

    What needs no carry is computed before the loop: what the attention makes of the
    memory, and the product with x, if the cell reads its input through one matrix
    (`Cell.input_kernel`).

    Args:
      cell: any cell with a hidden state `[*batch, H]`, the query; its parameters are
        under `cell`.
      attention: how it looks; its parameters are under `attention`.
      memory_size: of one position of the memory.
      look: "before" the cell's step or "after" it.
      feed: whether the last output is an input, of a look after the step.
      size: of the output of a look after the step; None: H. Its parameter is
        `output_kernel` W_c `[context_size + H, size]`.
      output_init: of W_c.
      everything: put out context and alignment too, as `Seen`.

    References:
      Bahdanau, Cho, Bengio 2015, appendix A; Luong, Pham, Manning 2015, equation 5 and
      section 3.3 (input feeding); lecture 004.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.Attend(jr.GRU(4), jr.attention.Additive(5), memory_size=6)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> memory = jnp.ones((2, 5, 6))  # [B, S, memory_size]
      >>> carry, ys = jr.unroll(
      ...     cell, params, jnp.ones((7, 2, 3)), context={"memory": memory}
      ... )
      >>> ys.shape, carry.alignment.shape
      ((7, 2, 4), (2, 5))
    """

    attention: Attention = General()
    memory_size: int = dataclasses.field(kw_only=True)
    look: str = dataclasses.field(default="before", kw_only=True)
    feed: bool = dataclasses.field(default=True, kw_only=True)
    size: int | None = dataclasses.field(default=None, kw_only=True)
    output_init: Initializer = dataclasses.field(default=LecunNormal(), kw_only=True)
    everything: bool = dataclasses.field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.attention, Attention):
            raise TypeError(
                "`attention` must be an attention, such as `jaxrnn.attention.General()`"
                f", got {self.attention!r}"
            )
        checks.one_of(("before", "after"), look=self.look)
        if self.size is not None:
            checks.positive(size=self.size)
            if self.look == "before":
                raise ValueError('`size` is that of the output of `look="after"`')
        super().__post_init__()
        self.check_recurrent()

    def layers(
        self, params: PyTree, input_size: Size | None = None
    ) -> Iterator[tuple[str, Cell, PyTree, Size | None]]:
        yield "cell", self.cell, params["cell"], self._inner_size(input_size)

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        cell_key, attention_key, output_key = jax.random.split(key, 3)
        params = super().init(cell_key, self._inner_size(input_size))
        start = self.cell.initial_carry(self.cell.prepare(params["cell"]), ())
        H, dtype = self.cell.hidden(start).shape[-1], self.param_dtype or jnp.float32
        params["attention"] = self.attention.init(
            attention_key, H, self.memory_size, dtype=dtype
        )
        if self.look == "after":
            shape = (self._context_size + H, self.size or H)
            params["output_kernel"] = self.output_init(output_key, shape, dtype)
        return params

    def output_size(self, input_size: Size | None) -> Size:
        if self.look == "before":
            return super().output_size(self._inner_size(input_size))
        return self._size(input_size)

    def prepare(
        self,
        params: PyTree,
        *,
        input_shape: Shape | None = None,
        context: PyTree = None,
        **given: Any,
    ) -> PyTree:
        fed = self._fed_size(params)
        if input_shape is not None:
            input_shape = (*input_shape[:-1], input_shape[-1] + fed)
        given |= {"input_shape": input_shape, "context": context}
        ready = super().prepare(params, **given)
        memory, real = self._memory(context)
        memory = memory.astype(zeros(ready["cell"], ()).dtype)
        ready["attention"] = self.attention.read(ready["attention"], memory, real)
        if not fed:
            return ready
        cell, fed_kernel = divided(self.cell, ready["cell"], fed)
        return ready | {"cell": cell, "fed_kernel": fed_kernel}

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> AttendCarry:
        *batch, positions, _ = ready["attention"]["keys"].shape
        if tuple(batch) != batch_shape:
            raise ValueError(
                f"`memory` must start with the batch axes {batch_shape}, of (*batch, S,"
                f" {self.memory_size}), got {(*batch, positions, self.memory_size)}"
            )
        look, fed = self.attention.start(ready["attention"]), None
        if self._feeds_output:
            fed = zeros(ready, (*batch_shape, ready["output_kernel"].shape[-1]))
        return AttendCarry(super().initial_carry(ready, batch_shape), look, fed)

    def project(self, ready: PyTree, x: PyTree, *, key: Key | None = None) -> PyTree:
        noise, key = self.attention.draw(ready["attention"], key)
        if ready.get("fed_kernel", ()) is None:
            return (x, key), noise  # the cell's projection waits for what is fed back
        return super().project(ready, x, key=key), noise

    def recur(
        self, ready: PyTree, carry: AttendCarry, z: PyTree
    ) -> tuple[AttendCarry, PyTree]:
        z, noise = z

        def see(state: PyTree) -> tuple[Array, Look, Array]:
            h, own = self.cell.hidden(state), ready["attention"]
            return h, *self.attention.look(own, h, carry.look, noise=noise)

        if self.look == "before":
            _, look, c = see(carry.cell)
            following, y = super().recur(ready, carry.cell, self._feed(ready, z, c))
        else:
            if carry.fed is not None:
                z = self._feed(ready, z, carry.fed)
            following, _ = super().recur(ready, carry.cell, z)
            h, look, c = see(following)
            both = jnp.concatenate([c, h], axis=-1)
            y = jnp.tanh(matmul(both, ready["output_kernel"]))
        fed = y if self._feeds_output else None
        y = Seen(y, c, look.alignment) if self.everything else y
        return AttendCarry(following, look, fed), y

    def over(
        self, ready: PyTree, carry: AttendCarry, xs: PyTree, run: Any
    ) -> tuple[AttendCarry, PyTree]:
        return run.scan(self, ready, carry, xs)

    def hidden(self, carry: AttendCarry) -> Array:
        return self.cell.hidden(carry.cell)

    def with_hidden(self, carry: AttendCarry, hidden: Array) -> AttendCarry:
        return carry._replace(cell=self.cell.with_hidden(carry.cell, hidden))

    def _feed(self, ready: PyTree, z: PyTree, fed: Array) -> PyTree:
        """What the cell makes of its input and of what is fed back beside it."""
        if ready["fed_kernel"] is not None:
            return added(z, fed, ready["fed_kernel"])
        x, key = z
        x = jnp.concatenate([x.astype(fed.dtype), fed], axis=-1)
        return super().project(ready, x, key=key)

    @property
    def _feeds_output(self) -> bool:
        return self.look == "after" and self.feed

    @property
    def _context_size(self) -> int:
        return self.attention.context_size(self.memory_size)

    def _fed_size(self, params: PyTree) -> int:
        if self.look == "before":
            return self._context_size
        return params["output_kernel"].shape[-1] if self.feed else 0

    def _inner_size(self, input_size: Size | None) -> int:
        checks.positive(input_size=input_size)
        if self.look == "before":
            return input_size + self._context_size  # type: ignore[operator]
        return input_size + self._size(input_size) * self.feed  # type: ignore[operator]

    def _size(self, input_size: Size | None) -> int:
        """The size of the output of a look after the step."""
        return self.size or _hidden_size(self.cell, input_size)

    def _memory(self, context: PyTree) -> tuple[Array, Array | None]:
        """The memory, and which of its positions are real."""
        if not isinstance(context, dict) or "memory" not in context:
            raise ValueError("`Attend` needs a memory: give `context={'memory': ...}`")
        memory = jnp.asarray(context["memory"])
        if memory.ndim < 2 or memory.shape[-1] != self.memory_size:
            raise ValueError(
                f"`memory` must have shape (*batch, S, {self.memory_size}), "
                f"got {memory.shape}"
            )
        return memory, real_positions(context.get("mask"), memory)


@functools.lru_cache(maxsize=1024)
def _hidden_size(cell: Cell, input_size: Size | None) -> int:
    def hidden(key: Key) -> Array:
        ready = cell.prepare(cell.init(key, input_size))
        return cell.hidden(cell.initial_carry(ready, ()))

    return jax.eval_shape(hidden, jax.random.key(0)).shape[-1]
