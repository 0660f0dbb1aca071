"""The vanilla recurrent network, by its state or by the sum before the activation."""

from typing import Any

from jaxrnn import checks
from jaxrnn.activations import Activation, activation
from jaxrnn.cell import Cell
from jaxrnn.cells.gates import gate_params, one_bias
from jaxrnn.cells.norm import norm, norm_params
from jaxrnn.initializers import Initializer, LecunNormal, Orthogonal
from jaxrnn.product import affine, matmul
from jaxrnn.typing import Array, Key, PyTree, Size


class Elman(Cell):
    """The vanilla recurrent network: h = f(W x + U h' + b), and the output is h.

    With layer normalisation h = f(LN(W x + U h') + b). Leaky units go a part of the
    way: h = (1 - leak) * h' + leak * f(W x + U h' + b).

    The lectures' y = V h + c is a `Dense` behind it: `Stack(Elman(H), Dense(n))`.

    Args:
      hidden_size: H; the parameters are `kernel` W `[input_size, H]`,
        `recurrent_kernel` U `[H, H]` and `bias` b `[H]`.
      activation: f, by name ("tanh", "relu", "sigmoid", "identity", any of `jax.nn`)
        or a function at the top level of a module.
      kernel_init: of W.
      recurrent_init: of U.
      layer_norm: whether to normalise; the scale is `sum_scale` `[H]`.
      recurrent_bias: whether b is a sum of two, as in torch and cuDNN, so that the
        optimiser moves both; the other is `recurrent_bias` `[H]`.
      leak: in [0, 1], how much of the state is new; it lasts for about 1 / leak steps.

    References:
      Elman 1990; all five lectures ("vanilla RNN"). Layer normalisation: Ba, Kiros,
      Hinton 2016, equation 4. Leaky units: Jaeger, Lukoševičius, Popovici, Siewert
      2007.

    Example:
      >>> import jax, jax.numpy as jnp, jaxrnn as jr
      >>> cell = jr.Elman(4, activation="relu")
      >>> params = cell.init(jax.random.key(0), 3)
      >>> carry, ys = jr.unroll(cell, params, jnp.ones((7, 2, 3)))
      >>> bool((ys[-1] == carry).all())
      True
    """

    hidden_size: int
    activation: Activation = "tanh"
    kernel_init: Initializer = LecunNormal()
    recurrent_init: Initializer = Orthogonal()
    layer_norm: bool = False
    recurrent_bias: bool = False
    leak: float = 1.0

    input_kernel = ("kernel",)

    def __post_init__(self) -> None:
        activation(self.activation)
        checks.probability(leak=self.leak)
        super().__post_init__()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        biases = 1 + self.recurrent_bias
        params = gate_params(self, key, input_size, gates=1, biases=biases)
        params |= norm_params(self, sum_scale=1)
        if self.recurrent_bias:
            params["recurrent_bias"] = params["bias"][1]
        return params | {"bias": params["bias"][0]}

    def prepare(self, params: PyTree, **options: Any) -> PyTree:
        return one_bias(super().prepare(params, **options))

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        product = matmul(x, ready["kernel"])
        return product if self.layer_norm else product + ready["bias"]

    def recur(self, ready: PyTree, carry: Array, z: Array) -> tuple[Array, Array]:
        a = z + matmul(carry, ready["recurrent_kernel"])
        h = activation(self.activation)(norm(self, ready, a, "sum_scale", "bias"))
        if self.leak < 1:
            h = (1 - self.leak) * carry + self.leak * h
        return h, h


class PreactivationElman(Cell):
    """The vanilla recurrent network, its state the sum before the activation.

    ::

      c = W x + U f(c') + b
      y = f(c)

    With h = f(c) that is `Elman`: of the same parameters and inputs, and from states
    with h_0 = f(c_0), come the same outputs. But what the carry holds is not squashed.

    Args:
      hidden_size: H; the parameters are `kernel` W `[input_size, H]`,
        `recurrent_kernel` U `[H, H]` and `bias` b `[H]`.
      activation: f, by name or a function at the top level of a module.
      kernel_init: of W.
      recurrent_init: of U.

    References:
      Lecture 003; Pascanu, Mikolov, Bengio 2013, equation 2.

    Example:
      >>> import jax, jax.numpy as jnp, jaxrnn as jr
      >>> cell = jr.PreactivationElman(4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> carry, ys = jr.unroll(cell, params, jnp.ones((7, 2, 3)))
      >>> bool((ys[-1] == jnp.tanh(carry)).all())
      True
    """

    hidden_size: int
    activation: Activation = "tanh"
    kernel_init: Initializer = LecunNormal()
    recurrent_init: Initializer = Orthogonal()

    input_kernel = ("kernel",)

    def __post_init__(self) -> None:
        activation(self.activation)
        super().__post_init__()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        params = gate_params(self, key, input_size, gates=1)
        return params | {"bias": params["bias"].reshape(-1)}

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        return affine(x, ready["kernel"], ready["bias"])

    def recur(self, ready: PyTree, carry: Array, z: Array) -> tuple[Array, Array]:
        f = activation(self.activation)
        c = z + matmul(f(carry), ready["recurrent_kernel"])
        return c, f(c)
