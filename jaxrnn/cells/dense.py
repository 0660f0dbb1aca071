"""Layers without memory: an affine map, dropout, and any function."""

import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.activations import Activation, activation
from jaxrnn.cell import Memoryless
from jaxrnn.cells.gates import one_size
from jaxrnn.dropping import drop, keep
from jaxrnn.initializers import Initializer, LecunNormal
from jaxrnn.product import affine
from jaxrnn.typing import Array, Key, PyTree, Size


class Dense(Memoryless):
    """An affine map of every step: y = V x + c.

    Args:
      features: the output's size; the parameters are `kernel` V
        `[input_size, features]` and `bias` c `[features]`.
      kernel_init: of V.

    Example:
      >>> import jax, jaxrnn as jr
      >>> layer = jr.Dense(4)
      >>> params = layer.init(jax.random.key(0), 3)
      >>> jr.unroll(layer, params, jnp.ones((7, 2, 3)))[1].shape
      (7, 2, 4)
    """

    features: int
    kernel_init: Initializer = LecunNormal()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        dtype = self.param_dtype or jnp.float32
        shape = (one_size(input_size, self), self.features)
        kernel = self.kernel_init(key, shape, dtype)
        return {"kernel": kernel, "bias": jnp.zeros(self.features, dtype)}

    def output_size(self, input_size: Size | None) -> Size:
        return self.features

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        return affine(x, ready["kernel"], ready["bias"])


class Dropout(Memoryless):
    """Each element is zero with probability `rate`, anew at every step.

    What is left is divided by 1 - rate. Without a key, in evaluation, it does nothing.

    Args:
      rate: in [0, 1]; 0 changes nothing, 1 gives zeros.

    References:
      Srivastava et al. 2014; between layers: Zaremba, Sutskever, Vinyals 2014.

    Example:
      >>> import jax, jaxrnn as jr
      >>> xs = jnp.ones((7, 2, 3))
      >>> key = jax.random.key(0)
      >>> sorted(set(jr.unroll(jr.Dropout(0.5), {}, xs, key=key)[1].ravel().tolist()))
      [0.0, 2.0]
    """

    rate: float

    def __post_init__(self) -> None:
        checks.probability(rate=self.rate)
        super().__post_init__()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        return {}

    def output_size(self, input_size: Size | None) -> Size:
        return input_size  # type: ignore[return-value]

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        if key is None or self.rate == 0:
            return x
        return drop(x, keep(key, self.rate, x.shape), self.rate)


class Map(Memoryless):
    """A function of every step: y = function(x).

    Args:
      function: a name of `jax.nn` such as "relu", or a function at the top level of a
        module; it must work on any leading axes.

    Example:
      >>> import jaxrnn as jr
      >>> jr.unroll(jr.Map("relu"), {}, jnp.array([[-1.0], [2.0]]))[1].tolist()
      [[0.0], [2.0]]
    """

    function: Activation

    def __post_init__(self) -> None:
        activation(self.function)
        super().__post_init__()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        return {}

    def project(self, ready: PyTree, x: PyTree, *, key: Key | None = None) -> PyTree:
        return activation(self.function)(x)
