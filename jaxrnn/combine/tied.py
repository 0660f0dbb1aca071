"""One matrix to read tokens and to predict them."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cell import Cell
from jaxrnn.combine.named import named
from jaxrnn.combine.stack import Stack
from jaxrnn.product import affine, cast
from jaxrnn.typing import Array, Key, PyTree, Shape, Size


class Tied(Stack):
    """Layers whose last outputs become logits by the transposed embedding.

    ::

      y = E body(E[x]) + c

    Parameters are a tuple as those of a `Stack`, one entry a layer, the embedding E
    `[vocab_size, features]` in the first; behind them c `[vocab_size]`, as `bias` of
    the output layer, which has no kernel of its own. The carry is that of the `Stack`.

    Args:
      embed: the first layer, such as `Embed`: it must have a parameter `embedding`.
      *body: the layers behind it; the last one puts out `features` numbers.

    References:
      Press, Wolf 2017; Inan, Khosravi, Socher 2017.

    Example:
      >>> import jaxrnn as jr
      >>> model = jr.Tied(jr.Embed(65, 16), jr.LSTM(16))
      >>> params = model.init(jax.random.key(0))
      >>> carry, logits = jr.unroll(model, params, jnp.zeros((7, 2), int))
      >>> logits.shape
      (7, 2, 65)
    """

    def __init__(self, embed: Cell, *body: Cell, **dtypes: Any) -> None:
        super().__init__(embed, *body, **dtypes)

    def layers(
        self, params: PyTree, input_size: Size | None = None
    ) -> Iterator[tuple[str, Cell, PyTree, Size | None]]:
        return super().layers(params[:-1], input_size)

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        params = super().init(key, input_size)
        vocab_size, features = self._embedding(params[0]).shape
        size = super().output_size(input_size)
        if size != features:
            raise ValueError(
                f"`Tied` needs a last layer that puts out the embedding's {features} "
                f"features, got {size} from {self.cells[-1]}"
            )
        bias = jnp.zeros(vocab_size, self.param_dtype or jnp.float32)
        return (*params, {"bias": bias})

    def output_size(self, input_size: Size | None) -> Size:
        init = lambda key: self.cells[0].init(key, input_size)
        return self._embedding(jax.eval_shape(init, jax.random.key(0))).shape[0]

    def prepare(self, params: PyTree, **given: Any) -> PyTree:
        kernel = self._embedding(params[0]).T
        output = cast({"kernel": kernel} | params[-1], self.dtype)
        return (*super().prepare(params[:-1], **given), output)

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> PyTree:
        return super().initial_carry(ready[:-1], batch_shape)

    def recur(self, ready: PyTree, carry: PyTree, z: PyTree) -> tuple[PyTree, Array]:
        carry, h = super().recur(ready, carry, z)
        return carry, affine(h, **ready[-1])

    def over(
        self, ready: PyTree, carry: PyTree, xs: PyTree, run: Any
    ) -> tuple[PyTree, Array]:
        carry, hs = super().over(ready, carry, xs, run)
        return carry, affine(hs, **ready[-1])

    def _embedding(self, params: PyTree) -> Array:
        found = list(named(params, "embedding").values())
        if len(found) != 1:
            raise ValueError(
                "`Tied` needs a first layer with one parameter `embedding`, "
                f"got {self.cells[0]}"
            )
        return found[0]
