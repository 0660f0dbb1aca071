"""Dropout that is the same at all steps of a sequence."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.combine.reading import recur_reading
from jaxrnn.combine.stack import output_shape
from jaxrnn.dropping import drop, keep
from jaxrnn.typing import Array, Key, PyTree, Shape
from jaxrnn.wrapper import Wrapper


class VariationalDropout(Wrapper):
    """Dropout with one mask a sequence: what is dropped is dropped at every step.

    ::

      h_t = cell(x_t * m_x, h_{t-1} * m_h)     where products read the state
      y_t = h_t * m_y                          m ~ Bernoulli(1 - rate) / (1 - rate)

    Each row has masks of its own. What hands the state on beside the recurrent
    products, such as z * h' in a GRU, is left as it is: dropped there, it would be
    forgotten, and what is left would grow at every step. In evaluation there is none.

    Args:
      cell: the cell; the parameters are its own, under `cell`.
      inputs: the rate of m_x, in [0, 1].
      state: of m_h. The cell must read its state in a product and be able to step;
        of a stack it is the last layer's, so give each layer its own.
      outputs: of m_y.

    References:
      Gal, Ghahramani 2016.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.VariationalDropout(jr.LSTM(4), outputs=0.5)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> xs, key = jnp.ones((7, 2, 3)), jax.random.key(1)
      >>> _, ys = jr.unroll(cell, params, xs, key=key)
      >>> bool(((ys == 0) == (ys[0] == 0)).all())
      True
    """

    inputs: float = 0.0
    state: float = 0.0
    outputs: float = 0.0

    def __post_init__(self) -> None:
        checks.probability(inputs=self.inputs, state=self.state, outputs=self.outputs)
        super().__post_init__()
        if self.state:
            self.check_recurrent()

    @property
    def input_kernel(self) -> Any:  # type: ignore[override]
        return None if self.inputs else super().input_kernel

    def prepare(
        self,
        params: PyTree,
        *,
        input_shape: Shape | None = None,
        key: Key | None = None,
        **given: Any,
    ) -> PyTree:
        if key is None or not (self.inputs or self.state or self.outputs):
            return super().prepare(params, input_shape=input_shape, key=key, **given)
        if input_shape is None:
            raise ValueError(
                "`VariationalDropout` draws a mask for every row of one array: "
                "`prepare` needs the `input_shape` of a step"
            )
        own, key = jax.random.split(key)
        ready = super().prepare(params, input_shape=input_shape, key=key, **given)
        return ready | {"kept": self._draw(own, ready, input_shape)}

    def project(self, ready: PyTree, x: PyTree, *, key: Key | None = None) -> PyTree:
        return super().project(ready, self._dropped(ready, "inputs", x), key=key)

    def recur(self, ready: PyTree, carry: PyTree, z: PyTree) -> tuple[PyTree, PyTree]:
        if "state" in ready.get("kept", ()):
            change = lambda h: self._dropped(ready, "state", h)
            with self._inside():
                carry, y = recur_reading(self.cell, ready["cell"], carry, z, change)
        else:
            carry, y = super().recur(ready, carry, z)
        return carry, self._dropped(ready, "outputs", y)

    def over(
        self, ready: PyTree, carry: PyTree, xs: PyTree, run: Any
    ) -> tuple[PyTree, PyTree]:
        if "state" in ready.get("kept", ()):
            return run.scan(self, ready, carry, xs)
        xs = self._dropped(ready, "inputs", xs)
        carry, ys = super().over(ready, carry, xs, run)
        return carry, self._dropped(ready, "outputs", ys)

    def _draw(self, key: Key, ready: PyTree, input_shape: Shape) -> dict[str, Array]:
        batch_shape = input_shape[: len(input_shape) - self.input_ndim]
        state = lambda ready: self.hidden(self.initial_carry(ready, batch_shape))
        shapes = {
            "inputs": lambda: input_shape,
            "state": lambda: jax.eval_shape(state, ready).shape,
            "outputs": lambda: output_shape(self.cell, input_shape),
        }
        keys = dict(zip(shapes, jax.random.split(key, len(shapes)), strict=True))
        rates = {name: getattr(self, name) for name in shapes}
        return {n: keep(keys[n], rates[n], shapes[n]()) for n in shapes if rates[n]}

    def _dropped(self, ready: PyTree, name: str, x: Array) -> Array:
        if name not in ready.get("kept", ()):
            return x
        if not jnp.issubdtype(x.dtype, jnp.inexact):
            raise TypeError(f"`{name}` dropout needs floating numbers, got {x.dtype}")
        return drop(x, ready["kept"][name], getattr(self, name))
