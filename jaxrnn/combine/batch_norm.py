"""Batch normalisation over the real steps of a batch of sequences."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.cell import Memoryless
from jaxrnn.typing import Array, Key, PyTree, Size
from jaxrnn.unroll.masks import spread

Statistics = dict[str, Array]


class BatchNorm(Memoryless):
    """A layer that normalises each feature over all real steps of all rows.

    ::

      y = scale * (x - mean) / sqrt(variance + epsilon) + bias

    In training, mean and variance are those of the batch at hand: padded steps do not
    count, and no step can be computed alone, so checkpointing leaves it whole. In
    evaluation, and in `step`, they are averages from training. They are no parameters;
    `batch_statistics` computes them, and they come in as context:
    `context={"averages": {name: {"mean": ..., "variance": ...}}}`.

    Args:
      name: under which its averages stand; each layer of a model needs its own.
      epsilon: added to the variance.

    References:
      Laurent et al. 2016 (sequence-wise, of what enters the recurrence, not of U h);
      Ioffe, Szegedy 2015.

    Example:
      >>> import jaxrnn as jr
      >>> model = jr.Stack(jr.BatchNorm(), jr.Elman(4))
      >>> params = model.init(jax.random.key(0), 3)
      >>> xs, key = jnp.arange(21.0).reshape(7, 1, 3), jax.random.key(1)
      >>> carry, ys = jr.unroll(model, params, xs, key=key)  # training
      >>> averages = jr.batch_statistics(model, params, xs, key=key)
      >>> averages["batch_norm"]["mean"].tolist()
      [9.0, 10.0, 11.0]
      >>> carry, ys = jr.unroll(model, params, xs, context={"averages": averages})
    """

    name: str = "batch_norm"
    epsilon: float = 1e-5

    @property
    def causal(self) -> bool:
        return False

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        checks.positive(input_size=input_size)
        dtype = self.param_dtype or jnp.float32
        ones = jnp.ones(input_size, dtype)  # type: ignore[arg-type]
        return {"scale": ones, "bias": jnp.zeros_like(ones)}

    def output_size(self, input_size: Size | None) -> Size:
        return input_size  # type: ignore[return-value]

    def prepare(
        self, params: PyTree, *, context: PyTree = None, **given: Any
    ) -> PyTree:
        averages = ((context or {}).get("averages") or {}).get(self.name)
        return super().prepare(params, **given) | {"averages": averages}

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        if ready["averages"] is None:
            raise ValueError(
                f"{self} needs averages in evaluation and in `step`, as "
                "`batch_statistics` gives them: "
                f"context={{'averages': {{{self.name!r}: ...}}}}"
            )
        return self._normalised(ready, x, ready["averages"])

    def over(
        self, ready: PyTree, carry: PyTree, xs: Array, run: Any
    ) -> tuple[PyTree, Array]:
        if run.keys is None:
            return super().over(ready, carry, xs, run)
        return carry, self._normalised(ready, xs, self.statistics(ready, xs, run.mask))

    def statistics(self, ready: PyTree, xs: Array, mask: Array | None) -> Statistics:
        """Mean and variance of each feature over the real steps; 0 if there are none.

        Args:
          ready: what `prepare` returned.
          xs: `[T, *batch, n]`.
          mask: `[T, *batch]`, True at real steps; None: all are.
        """
        xs = xs.astype(ready["scale"].dtype)
        mask = jnp.ones(xs.shape[:-1], bool) if mask is None else mask
        count, real = jnp.maximum(mask.sum(dtype=xs.dtype), 1), spread(mask, xs)
        mean = lambda a: a.sum(range(a.ndim - 1), where=real) / count
        center = mean(xs)
        return {"mean": center, "variance": mean((xs - center) ** 2)}

    def _normalised(self, ready: PyTree, x: Array, by: Statistics) -> Array:
        dtype = ready["scale"].dtype
        x, mean, variance = (a.astype(dtype) for a in (x, by["mean"], by["variance"]))
        x = (x - mean) * jax.lax.rsqrt(variance + self.epsilon)
        return x * ready["scale"] + ready["bias"]
