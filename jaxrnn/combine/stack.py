"""Cells one after another."""

from collections.abc import Iterator
from typing import Any, ClassVar

import jax

from jaxrnn.cell import Cell
from jaxrnn.checks import inside
from jaxrnn.typing import Array, Key, PyTree, Shape, Size


class Stack(Cell):
    """Cells one after another: each reads what the one before it put out.

    ::

      for layer in cells:
          x = layer(x)

    Parameters and carry are tuples in layer order.

    Args:
      *cells: the layers, first to last.

    Example:
      A character language model:

      >>> import jax.numpy as jnp, jaxrnn as jr
      >>> model = jr.Stack(jr.Embed(5, 3), jr.LSTM(4), jr.Dense(5))
      >>> params = model.init(jax.random.key(0))
      >>> carry, logits = jr.unroll(model, params, jnp.zeros((7, 2), int))
      >>> logits.shape
      (7, 2, 5)
    """

    cells: tuple[Cell, ...]
    _rest: ClassVar[str | None] = "cells"

    def __init__(
        self, *cells: Cell, dtype: Any = None, param_dtype: Any = None
    ) -> None:
        if not cells:
            raise ValueError("`Stack` must have at least one layer, got none")
        for index, layer in enumerate(cells):
            if not isinstance(layer, Cell):
                raise TypeError(
                    f"layer {index} of `Stack` must be a cell, got {layer!r}; wrap a "
                    "function in `Map`"
                )
        for name, value in (
            ("cells", cells),
            ("dtype", dtype),
            ("param_dtype", param_dtype),
        ):
            object.__setattr__(self, name, value)
        self.__post_init__()

    @property
    def input_ndim(self) -> Any:  # type: ignore[override]
        return self.cells[0].input_ndim

    @property
    def has_memory(self) -> bool:
        return any(layer.has_memory for layer in self.cells)

    @property
    def input_kernel(self) -> Any:  # type: ignore[override]
        place = self.cells[0].input_kernel if self._first == 0 else None
        return None if place is None else (0, *place)

    @property
    def _first(self) -> int:
        """The first layer with a memory: what stands before it needs no carry."""
        with_memory = (i for i, layer in enumerate(self.cells) if layer.has_memory)
        return next(with_memory, len(self.cells) - 1)

    def layers(
        self, params: PyTree, input_size: Size | None = None
    ) -> Iterator[tuple[str, Cell, PyTree, Size | None]]:
        for index, (layer, own) in enumerate(zip(self.cells, params, strict=True)):
            yield f"{index}", layer, own, input_size
            input_size = layer.output_size(input_size)

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        params, keys = [], jax.random.split(key, len(self.cells))
        for index, (layer, layer_key) in enumerate(zip(self.cells, keys, strict=True)):
            with inside(f"layer {index} of Stack, {layer}"):
                params.append(layer.init(layer_key, input_size))
                input_size = layer.output_size(input_size)
        return tuple(params)

    def output_size(self, input_size: Size | None) -> Size:
        for layer in self.cells:
            input_size = layer.output_size(input_size)
        return input_size  # type: ignore[return-value]

    def prepare(
        self,
        params: PyTree,
        *,
        input_shape: Shape | None = None,
        key: Key | None = None,
        context: PyTree = None,
    ) -> PyTree:
        ready = []
        if len(params) != len(self.cells):
            raise ValueError(
                f"`params` of Stack must hold one entry a layer, {len(self.cells)}, "
                f"got {len(params)}"
            )
        for index, (layer, layer_params) in enumerate(
            zip(self.cells, params, strict=True)
        ):
            with inside(f"layer {index} of Stack, {layer}"):
                ready.append(
                    layer.prepare(
                        layer_params,
                        input_shape=input_shape,
                        key=_fold(key, index),
                        context=context,
                    )
                )
                if index < len(self.cells) - 1:
                    input_shape = output_shape(layer, input_shape)
        return tuple(ready)

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> PyTree:
        layers = zip(self.cells, ready, strict=True)
        return tuple(layer.initial_carry(own, batch_shape) for layer, own in layers)

    def project(self, ready: PyTree, x: PyTree, *, key: Key | None = None) -> PyTree:
        for index in range(self._first + 1):
            layer = self.cells[index]
            with inside(f"layer {index} of Stack, {layer}"):
                x = layer.project(ready[index], x, key=_fold(key, index))
                if index < self._first:
                    empty = layer.initial_carry(ready[index], ())
                    _, x = layer.recur(ready[index], empty, x)
                    x = layer.cast_output(x)
        return x, key

    def recur(self, ready: PyTree, carry: PyTree, z: PyTree) -> tuple[PyTree, PyTree]:
        (x, key), carries = z, list(carry)
        for index in range(self._first, len(self.cells)):
            layer = self.cells[index]
            with inside(f"layer {index} of Stack, {layer}"):
                if index > self._first:
                    x = layer.project(ready[index], x, key=_fold(key, index))
                carries[index], x = layer.recur(ready[index], carry[index], x)
                x = layer.cast_output(x)
        return tuple(carries), x

    def over(
        self, ready: PyTree, carry: PyTree, xs: PyTree, run: Any
    ) -> tuple[PyTree, PyTree]:
        carries = []
        for index, layer in enumerate(self.cells):
            with inside(f"layer {index} of Stack, {layer}"):
                last, xs = run(layer, ready[index], carry[index], xs, place=index)
            carries.append(last)
        return tuple(carries), xs

    def hidden(self, carry: PyTree) -> Array:
        return self.cells[self._last].hidden(carry[self._last])

    def with_hidden(self, carry: PyTree, hidden: Array) -> PyTree:
        changed = self.cells[self._last].with_hidden(carry[self._last], hidden)
        return (*carry[: self._last], changed, *carry[self._last + 1 :])

    @property
    def _last(self) -> int:
        """The last layer with a memory."""
        with_memory = [i for i, layer in enumerate(self.cells) if layer.has_memory]
        if not with_memory:
            raise ValueError(
                f"{self} has no hidden state: none of its layers has a memory"
            )
        return with_memory[-1]


def _fold(key: Key | None, index: int) -> Key | None:
    return None if key is None else jax.random.fold_in(key, index)


def output_shape(layer: Cell, input_shape: Shape | None) -> Shape | None:
    """The shape of one step's output, batch axes included, if the input's is known."""
    if input_shape is None:
        return None
    batch = input_shape[: len(input_shape) - layer.input_ndim]
    size = input_shape[len(batch) :]
    output = layer.output_size(size[0] if len(size) == 1 else size)
    return (*batch, *(output if isinstance(output, tuple) else (output,)))
