"""Both directions of time."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.cell import Cell
from jaxrnn.checks import inside
from jaxrnn.typing import Array, Key, PyTree, Shape, Size


class BidirectionalCarry(NamedTuple):
    """Both cells' carries, each after the last step that it took in its direction."""

    forward: PyTree
    backward: PyTree


class Bidirectional(Cell):
    """One cell forwards, another backwards through time, their outputs merged.

    ::

      y_t = merge(forward(x_1 .. x_t), backward(x_T .. x_t))

    Padding and resets are respected in both directions: each row is read backwards from
    its own last real step, and no segment leaks into another. It cannot step, since an
    output depends on later inputs.

    Args:
      forward: a cell; its parameters are under `forward`.
      backward: a cell; None: one like `forward`. Its parameters are under `backward`.
      merge: "concat", "sum" or "average" of the two outputs.

    References:
      Schuster, Paliwal 1997.

    Example:
      >>> import jaxrnn as jr
      >>> layer = jr.Bidirectional(jr.LSTM(4), jr.GRU(5))
      >>> params = layer.init(jax.random.key(0), 3)
      >>> carry, ys = jr.unroll(layer, params, jnp.ones((7, 2, 3)))
      >>> ys.shape, carry.forward.cell.shape, carry.backward.shape
      ((7, 2, 9), (2, 4), (2, 5))
    """

    forward: Cell
    backward: Cell | None = None
    merge: str = "concat"

    def __post_init__(self) -> None:
        checks.one_of(("concat", "sum", "average"), merge=self.merge)
        if self.backward is None:
            object.__setattr__(self, "backward", self.forward)
        super().__post_init__()

    @property
    def causal(self) -> bool:
        return False

    @property
    def has_memory(self) -> bool:
        return any(cell.has_memory for _, cell in self._both())

    @property
    def input_ndim(self) -> Any:  # type: ignore[override]
        return self.forward.input_ndim

    def layers(
        self, params: PyTree, input_size: Size | None = None
    ) -> Iterator[tuple[str, Cell, PyTree, Size | None]]:
        for name, cell in self._both():
            yield name, cell, params[name], input_size

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        keys = jax.random.split(key)
        return {
            name: cell.init(own, input_size)
            for (name, cell), own in zip(self._both(), keys, strict=True)
        }

    def output_size(self, input_size: Size | None) -> Size:
        ahead, behind = (cell.output_size(input_size) for _, cell in self._both())
        if self.merge == "concat":
            return ahead + behind  # type: ignore[operator]
        return self._one_size(ahead, behind)

    def prepare(
        self,
        params: PyTree,
        *,
        input_shape: Shape | None = None,
        key: Key | None = None,
        context: PyTree = None,
    ) -> PyTree:
        keys = (None, None) if key is None else jax.random.split(key)
        options = {"input_shape": input_shape, "context": context}
        return {
            name: cell.prepare(params[name], key=own, **options)
            for (name, cell), own in zip(self._both(), keys, strict=True)
        }

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> BidirectionalCarry:
        both = self._both()
        return BidirectionalCarry(
            *(c.initial_carry(ready[n], batch_shape) for n, c in both)
        )

    def recur(self, ready: PyTree, carry: PyTree, z: PyTree) -> tuple[PyTree, PyTree]:
        raise TypeError(f"{self} cannot step: its outputs depend on later inputs")

    def over(
        self, ready: PyTree, carry: PyTree, xs: PyTree, run: Any
    ) -> tuple[PyTree, PyTree]:
        outs = []
        for place, (name, cell) in enumerate(self._both()):
            direction = run.reversed if name == "backward" else run
            with inside(f"{name} of Bidirectional, {cell}"):
                own = getattr(carry, name)
                outs.append(direction(cell, ready[name], own, xs, place=place))
        (forward, ahead), (backward, behind) = outs
        return BidirectionalCarry(forward, backward), self._merged(ahead, behind)

    def _merged(self, ahead: Array, behind: Array) -> Array:
        if self.merge == "concat":
            return jnp.concatenate([ahead, behind], axis=-1)
        self._one_size(ahead.shape[-1], behind.shape[-1])
        return (ahead + behind) * (0.5 if self.merge == "average" else 1)

    def _one_size(self, ahead: Size, behind: Size) -> Size:
        if ahead != behind:
            raise ValueError(
                f"`merge={self.merge!r}` needs outputs of one size, got {ahead} "
                f"forward and {behind} backward"
            )
        return ahead

    def _both(self) -> tuple[tuple[str, Cell], ...]:
        return (("forward", self.forward), ("backward", self.backward))  # type: ignore[return-value]
