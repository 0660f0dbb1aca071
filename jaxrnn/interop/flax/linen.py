"""Any cell as a linen module."""

import functools
from typing import Any

import jax

from jaxrnn.cell import Cell, sequence_key
from jaxrnn.typing import Key, PyTree, Shape, Size
from jaxrnn.unroll import unroll


def linen_module(cell: Cell) -> Any:
    """A cell as a linen module, an `nn.RNNCellBase`.

    ::

      module(carry, x)                      cell.step(ready, carry, x)
      module.initialize_carry(key, shape)   cell.initial_carry(ready, batch_shape)
      module.unroll(xs, carry, ...)         unroll(cell, params, xs, carry, ...)
      variables["params"]["weights"]        params

    So it steps inside `nn.RNN`; `unroll` runs any cell, also one that cannot step, in
    its own way, and takes the options of `jaxrnn.unroll`. Where `apply` is given `rngs`
    with a key for "dropout", it is the key.

    Train a cell with noise by `unroll`. `nn.RNN` hands no key on, so there is none,
    unless it has `split_rngs={"params": False, "dropout": True}`; each step then draws
    anew also what should stay for a sequence, as the masks of `VariationalDropout`.

    Args:
      cell: any cell.

    Example:
      >>> import jax.numpy as jnp, jaxrnn as jr
      >>> from flax import linen as nn
      >>> layer = nn.RNN(jr.interop.flax.linen_module(jr.LSTM(4, peepholes=True)))
      >>> variables = layer.init(jax.random.key(0), jnp.ones((2, 7, 3)))  # [B, T, n]
      >>> layer.apply(variables, jnp.ones((2, 7, 3))).shape
      (2, 7, 4)
    """
    if not isinstance(cell, Cell):
        raise TypeError(f"`cell` must be a cell, got {cell!r}")
    return _recurrent()(cell)


def size_of(cell: Cell, shape: Shape) -> tuple[Shape, Size | None]:
    """The batch axes of one step's input, and its size as `init` takes it."""
    first = len(shape) - cell.input_ndim
    size = shape[first:]
    return shape[:first], {0: None, 1: size[0]}.get(len(size), size) if size else None


@functools.cache
def _recurrent() -> Any:
    from flax import linen as nn

    class Recurrent(nn.RNNCellBase):
        cell: Any

        def __call__(self, carry: PyTree, x: PyTree) -> tuple[PyTree, PyTree]:
            key = self._key()
            ready = self.cell.prepare(
                self._params(x.shape), input_shape=x.shape, key=sequence_key(key)
            )
            return self.cell.step(ready, carry, x, key=key)

        def unroll(self, xs: PyTree, carry: PyTree = None, **options: Any) -> Any:
            shape = jax.tree.leaves(xs)[0].shape
            options = {"key": self._key()} | options
            return unroll(self.cell, self._params(shape), xs, carry, **options)

        @nn.nowrap
        def initialize_carry(self, rng: Key, input_shape: Shape) -> PyTree:
            batch_shape, size = size_of(self.cell, input_shape)
            bound = self.scope is not None and self.has_variable("params", "weights")
            params = (
                self.get_variable("params", "weights")
                if bound
                else self.cell.init(rng, size)
            )
            ready = self.cell.prepare(params, input_shape=input_shape)
            return self.cell.initial_carry(ready, batch_shape)

        @property
        def num_feature_axes(self) -> int:
            return self.cell.input_ndim

        @nn.compact
        def _params(self, shape: Shape) -> PyTree:
            size = size_of(self.cell, shape)[1]
            return self.param("weights", lambda key: self.cell.init(key, size))

        def _key(self) -> Key | None:
            return self.make_rng("dropout") if self.has_rng("dropout") else None

    return Recurrent
