"""A cell that looks at a memory before every step."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.cell import Cell
from jaxrnn.initializers import Initializer, LecunNormal
from jaxrnn.product import matmul
from jaxrnn.typing import Array, Key, PyTree, Shape, Size
from jaxrnn.wrapper import Wrapper


class AttendCarry(NamedTuple):
    """The carry of the cell inside, and where it looked last.

    Attributes:
      cell: the carry of the cell inside.
      alignment: `[*batch, S]`, the weights of the last step.
    """

    cell: PyTree
    alignment: Array


class Attend(Wrapper):
    """A cell that reads, beside its input, what its state looks for in a memory.

    ::

      a = softmax_s(h' . (W m_s))              the alignment, over real positions s
      c = sum_s a_s m_s                        the context vector
      h, y = cell([x; c], h')

    The memory m comes as context, `context={"memory": ...}`, `[*batch, S, memory_size]`
    with the batch axes first, and beside it, where rows differ in length, `"mask"`,
    `[*batch, S]`, True at real positions; a row without any reads zeros. The carry
    holds the alignment: `unroll(..., collect=lambda carry: carry.alignment)` stacks it.

    Args:
      cell: any cell with a hidden state `[*batch, H]`, the query; its parameters are
        under `cell`, beside `key_kernel` W `[memory_size, H]`.
      memory_size: of one position of the memory.
      key_init: of W.

    References:
      Luong, Pham, Manning 2015, "general" score; Bahdanau, Cho, Bengio 2015, for the
      order of things; lecture 004.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.Attend(jr.GRU(4), memory_size=6)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> memory = jnp.ones((2, 5, 6))  # [B, S, memory_size]
      >>> carry, ys = jr.unroll(
      ...     cell, params, jnp.ones((7, 2, 3)), context={"memory": memory}
      ... )
      >>> ys.shape, carry.alignment.sum(axis=-1).tolist()
      ((7, 2, 4), [1.0, 1.0])
    """

    memory_size: int
    key_init: Initializer = LecunNormal()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_recurrent()

    def layers(
        self, params: PyTree, input_size: Size | None = None
    ) -> Iterator[tuple[str, Cell, PyTree, Size | None]]:
        yield "cell", self.cell, params["cell"], self._inner_size(input_size)

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        cell_key, kernel_key = jax.random.split(key)
        params = super().init(cell_key, self._inner_size(input_size))
        start = self.cell.initial_carry(self.cell.prepare(params["cell"]), ())
        shape = (self.memory_size, self.cell.hidden(start).shape[-1])
        kernel = self.key_init(kernel_key, shape, self.param_dtype or jnp.float32)
        return params | {"key_kernel": kernel}

    def output_size(self, input_size: Size | None) -> Size:
        return super().output_size(self._inner_size(input_size))

    def prepare(
        self,
        params: PyTree,
        *,
        input_shape: Shape | None = None,
        context: PyTree = None,
        **given: Any,
    ) -> PyTree:
        if input_shape is not None:
            input_shape = (*input_shape[:-1], input_shape[-1] + self.memory_size)
        given |= {"input_shape": input_shape, "context": context}
        ready = super().prepare(params, **given)
        memory, real = self._memory(context)
        keys = matmul(memory, ready["key_kernel"])
        return ready | {"keys": keys, "memory": memory.astype(keys.dtype), "real": real}

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> AttendCarry:
        *batch, positions, _ = ready["keys"].shape
        if tuple(batch) != batch_shape:
            raise ValueError(
                f"`memory` must start with the batch axes {batch_shape}, of "
                f"(*batch, S, {self.memory_size}), got {ready['memory'].shape}"
            )
        alignment = jnp.zeros((*batch, positions), ready["keys"].dtype)
        return AttendCarry(super().initial_carry(ready, batch_shape), alignment)

    def project(self, ready: PyTree, x: PyTree, *, key: Key | None = None) -> PyTree:
        return x, key  # the cell's own projection reads the context vector too

    def recur(
        self, ready: PyTree, carry: AttendCarry, z: PyTree
    ) -> tuple[AttendCarry, PyTree]:
        x, key = z
        scores = jnp.einsum("...sh,...h->...s", ready["keys"], self.hidden(carry))
        alignment = jax.nn.softmax(scores, where=ready["real"])
        c = jnp.einsum("...s,...sm->...m", alignment, ready["memory"])
        x = jnp.concatenate([x.astype(c.dtype), c], axis=-1)
        z = super().project(ready, x, key=key)
        following, y = super().recur(ready, carry.cell, z)
        return AttendCarry(following, alignment), y

    def over(
        self, ready: PyTree, carry: AttendCarry, xs: PyTree, run: Any
    ) -> tuple[AttendCarry, PyTree]:
        return run.scan(self, ready, carry, xs)

    def hidden(self, carry: AttendCarry) -> Array:
        return self.cell.hidden(carry.cell)

    def with_hidden(self, carry: AttendCarry, hidden: Array) -> AttendCarry:
        return carry._replace(cell=self.cell.with_hidden(carry.cell, hidden))

    def _inner_size(self, input_size: Size | None) -> int:
        checks.positive(input_size=input_size)
        return input_size + self.memory_size  # type: ignore[operator]

    def _memory(self, context: PyTree) -> tuple[Array, Array | None]:
        """The memory, zero where it is padding, and which of its positions are real."""
        if not isinstance(context, dict) or "memory" not in context:
            raise ValueError("`Attend` needs a memory: give `context={'memory': ...}`")
        memory, real = jnp.asarray(context["memory"]), context.get("mask")
        if memory.ndim < 2 or memory.shape[-1] != self.memory_size:
            raise ValueError(
                f"`memory` must have shape (*batch, S, {self.memory_size}), "
                f"got {memory.shape}"
            )
        if real is None:
            return memory, None
        real = jnp.asarray(real)
        if real.dtype != bool or real.shape != memory.shape[:-1]:
            raise ValueError(
                "`mask` of a memory must be boolean, of shape (*batch, S) = "
                f"{memory.shape[:-1]}, got {checks.kind(real)}"
            )
        return jnp.where(real[..., None], memory, jnp.zeros((), memory.dtype)), real
