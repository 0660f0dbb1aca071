"""Any cell as an nnx module."""

import functools
from typing import Any

import jax

from jaxrnn.cell import Cell, sequence_key
from jaxrnn.interop.flax.linen import size_of
from jaxrnn.typing import Key, PyTree, Shape, Size
from jaxrnn.unroll import unroll


def nnx_module(
    cell: Cell,
    input_size: Size | None = None,
    *,
    rngs: Any = None,
    params: PyTree = None,
) -> Any:
    """A cell as an nnx module, an `nnx.RNNCellBase`.

    ::

      module(carry, x, key=None)            cell.step(ready, carry, x, key=key)
      module.initialize_carry(shape)        cell.initial_carry(ready, batch_shape)
      module.unroll(xs, carry, ...)         unroll(cell, params, xs, carry, ...)
      module.params                         params, as they stand
      module.train(), module.eval()         key=rngs.dropout(), key=None

    So it steps inside `nnx.RNN`; `unroll` runs any cell, also one that cannot step, in
    its own way, and takes the options of `jaxrnn.unroll`. `module.weights` is the tree
    of `params` with an `nnx.Param` at each leaf.

    With `rngs` it begins in training, as Flax's modules do. Train a cell with noise by
    `unroll`: inside `nnx.RNN` each step draws anew also what should stay for a
    sequence, as the masks of `VariationalDropout`.

    Args:
      cell: any cell.
      input_size: of its inputs, to draw parameters with.
      rngs: `nnx.Rngs`, to draw them from, and in training the noise ("dropout").
      params: the parameters, so that none are drawn.

    Raises:
      ValueError: without `rngs` and `params`; from a call in training where there are
        neither `rngs` nor a `key`.

    Example:
      >>> import jax.numpy as jnp, jaxrnn as jr
      >>> from flax import nnx
      >>> module = jr.interop.flax.nnx_module(jr.GRU(4), 3, rngs=nnx.Rngs(0))
      >>> nnx.RNN(module)(jnp.ones((2, 7, 3))).shape  # [B, T, n]
      (2, 7, 4)
    """
    if not isinstance(cell, Cell):
        raise TypeError(f"`cell` must be a cell, got {cell!r}")
    if params is None:
        if rngs is None:
            raise ValueError("`rngs` or `params` must be given, to start with")
        params = cell.init(rngs.params(), input_size)
    return _recurrent()(cell, params, rngs)


@functools.cache
def _recurrent() -> Any:
    from flax import nnx

    class Recurrent(nnx.RNNCellBase):
        def __init__(self, cell: Cell, params: PyTree, rngs: Any) -> None:
            self.cell = cell
            self.deterministic = rngs is None
            self.rngs = nnx.data(None if rngs is None else rngs["dropout"].fork())
            self.weights = nnx.data(jax.tree.map(nnx.Param, params))

        @property
        def params(self) -> PyTree:
            variable = lambda leaf: isinstance(leaf, nnx.Variable)
            return jax.tree.map(lambda p: p[...], self.weights, is_leaf=variable)

        def __call__(
            self, carry: PyTree, x: PyTree, *, key: Key | None = None
        ) -> tuple[PyTree, PyTree]:
            key = _key(self) if key is None else key
            ready = self.cell.prepare(
                self.params, input_shape=x.shape, key=sequence_key(key)
            )
            return self.cell.step(ready, carry, x, key=key)

        def unroll(self, xs: PyTree, carry: PyTree = None, **options: Any) -> Any:
            options = options if "key" in options else {"key": _key(self)} | options
            return unroll(self.cell, self.params, xs, carry, **options)

        def initialize_carry(
            self, input_shape: Shape, rngs: Any = None, carry_init: Any = None
        ) -> PyTree:
            ready = self.cell.prepare(self.params, input_shape=input_shape)
            batch_shape, _ = size_of(self.cell, input_shape)
            return self.cell.initial_carry(ready, batch_shape)

        @property
        def num_feature_axes(self) -> int:
            return self.cell.input_ndim

    return Recurrent


def _key(module: Any) -> Key | None:
    """In training the next of the module's random numbers."""
    if module.deterministic:
        return None
    if module.rngs is None:
        raise ValueError(
            "the module is in training, and has no noise to draw from: give "
            "`nnx_module` `rngs`, or a call `key`"
        )
    return module.rngs()
