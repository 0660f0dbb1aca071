"""Dropout of recurrent weights."""

from typing import Any

import jax

from jaxrnn import checks
from jaxrnn.combine.named import named
from jaxrnn.dropping import drop, keep
from jaxrnn.typing import Array, Key, PyTree, Size
from jaxrnn.wrapper import Wrapper


class WeightDrop(Wrapper):
    """A cell whose recurrent weights are zero with probability `rate` (DropConnect).

    ::

      U = U * m        m ~ Bernoulli(1 - rate) / (1 - rate), once a sequence

    All rows share the mask, and all steps. In evaluation there is none.

    Args:
      cell: any cell with a parameter called `name`; all that are called so, in the
        layers of a stack too, are dropped, each on its own. The parameters are the
        cell's own, under `cell`.
      rate: in [0, 1].
      name: of the parameters.

    References:
      Merity, Keskar, Socher 2018, section 2; Wan et al. 2013.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.WeightDrop(jr.LSTM(4), 1.0)
      >>> ready = cell.prepare(cell.init(jax.random.key(0), 3), key=jax.random.key(1))
      >>> bool((ready["cell"]["recurrent_kernel"] == 0).all())
      True
    """

    rate: float
    name: str = "recurrent_kernel"

    def __post_init__(self) -> None:
        checks.probability(rate=self.rate)
        super().__post_init__()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        params = super().init(key, input_size)
        self._weights(params)
        return params

    def prepare(
        self, params: PyTree, *, key: Key | None = None, **given: Any
    ) -> PyTree:
        weights = self._weights(params)
        if key is not None and self.rate > 0:
            own, key = jax.random.split(key)
            keys = zip(weights, jax.random.split(own, len(weights)), strict=True)
            for place, own in keys:
                kept = keep(own, self.rate, weights[place].shape)
                weights[place] = drop(weights[place], kept, self.rate)
            params = jax.tree.map_with_path(weights.get, params)
        return super().prepare(params, key=key, **given)

    def _weights(self, params: PyTree) -> dict[Any, Array]:
        """The weights to drop, by their places among the parameters."""
        found = named(params, self.name)
        if not found:
            raise ValueError(
                f"`WeightDrop` needs a cell with a parameter `{self.name}`, "
                f"got {self.cell}"
            )
        return found
