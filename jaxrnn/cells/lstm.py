"""Long short-term memory."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn import checks
from jaxrnn.activations import Activation, activation
from jaxrnn.cell import Cell
from jaxrnn.cells.gates import gate_params, one_bias, squash
from jaxrnn.cells.norm import norm, norm_affine, norm_params
from jaxrnn.initializers import Chrono, Initializer, LecunNormal, Orthogonal, Zeros
from jaxrnn.product import matmul, zeros
from jaxrnn.typing import Array, Key, PyTree, Shape, Size


class LSTMCarry(NamedTuple):
    """What an LSTM hands the next step: h and c, `[*batch, hidden_size]` each.

    With a projection h is `[*batch, projection_size]`.
    """

    hidden: Array
    cell: Array


class LSTM(Cell):
    """Long short-term memory.

    ::

      i = s(W_i x + U_i h' + b_i)          input gate
      f = s(W_f x + U_f h' + b_f)          forget gate
      o = s(W_o x + U_o h' + b_o)          output gate
      g = tanh(W_g x + U_g h' + b_g)       candidate
      c = f * c' + i * g
      h = o * tanh(c)                      the output

    The kernels' columns hold the gates in the order i, f, o, g; `gates` tells it. The
    variants, in any combination::

      i = s(... + p_i * c')                peepholes
      f = s(... + p_f * c')
      o = s(... + p_o * c)                 of the new cell
      i = 1 - f                            coupled; the columns are f, o, g
      h = P (o * tanh(c))                  projection_size

    With layer normalisation, LN, the gates are s(LN(W x) + LN(U h') + b), normalised
    together before peepholes are added, and h = o * tanh(LN(c)).

    Args:
      hidden_size: H; the parameters are `kernel` `[input_size, 4H]`,
        `recurrent_kernel` `[H, 4H]` and `bias` `[4H]`; of coupled gates 3H.
      forget_bias: added to b_f at the start: 1 lets gradients pass from the first step
        on (Gers, Schmidhuber, Cummins 2000; Jozefowicz, Zaremba, Sutskever 2015).
      kernel_init: of each gate's W, and of P.
      recurrent_init: of each gate's U.
      bias_init: of the biases.
      layer_norm: whether to normalise; the scales are `kernel_scale` and
        `recurrent_scale` `[4H]`, `cell_scale` and `cell_bias` `[H]`.
      peepholes: whether the gates see c, through `peephole` `[3H]` (i, f, o), or `[2H]`
        (f, o) of coupled gates; zero at the start.
      coupled: whether as much is let in as is forgotten.
      projection_size: R, the size of h, so that `recurrent_kernel` is `[R, 4H]`;
        `projection_kernel` P is `[H, R]`. None: h is not projected.
      activation: in the place of tanh, both times.
      gate_activation: in the place of s.
      output_activation: of c, where it is another function than `activation`.
      chrono: the longest dependency T, in steps: b_f starts as log(u), u ~ U(1, T - 1),
        and b_i as -b_f, in the place of `forget_bias`. At least 3.
      recurrent_bias: whether b is a sum of two, as in torch and cuDNN, so that the
        optimiser moves both; the other is `recurrent_bias` `[4H]`.
      forget_offset: added to b_f at every step and never trained, as Haiku and
        TensorFlow add 1.

    References:
      Hochreiter, Schmidhuber 1997; Gers, Schmidhuber, Cummins 2000; all five lectures.
      Peepholes: Gers, Schraudolph, Schmidhuber 2002; coupled: Greff et al. 2015; both:
      lecture 003. Projection: Sak, Senior, Beaufays 2014. Chrono: Tallec, Ollivier
      2018. Layer normalisation: Ba, Kiros, Hinton 2016, supplementary material.

    Example:
      >>> import jax, jaxrnn as jr
      >>> cell = jr.LSTM(4, peepholes=True, projection_size=2)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> carry, ys = jr.unroll(cell, params, jnp.ones((7, 5, 3)))
      >>> ys.shape, carry.cell.shape
      ((7, 5, 2), (5, 4))
    """

    hidden_size: int
    forget_bias: float = 1.0
    kernel_init: Initializer = LecunNormal()
    recurrent_init: Initializer = Orthogonal()
    bias_init: Initializer = Zeros()
    layer_norm: bool = False
    peepholes: bool = False
    coupled: bool = False
    projection_size: int | None = None
    activation: Activation = "tanh"
    gate_activation: Activation = "sigmoid"
    output_activation: Activation | None = None
    chrono: int | None = None
    recurrent_bias: bool = False
    forget_offset: float = 0.0

    def __post_init__(self) -> None:
        for function in (self.activation, self.gate_activation, self._of_c):
            activation(function)
        if self.projection_size is not None:
            checks.positive(projection_size=self.projection_size)
        if self.chrono is not None:
            with checks.inside("chrono"):
                Chrono(self.chrono)
        super().__post_init__()

    @property
    def gates(self) -> str:
        """The gates in the order of the kernels' columns, a letter each."""
        return "fog" if self.coupled else "ifog"

    @property
    def _width(self) -> int:
        """The size of h."""
        return self.projection_size or self.hidden_size

    @property
    def _of_c(self) -> Activation:
        """The function between c and h."""
        return self.output_activation or self.activation

    @property
    def input_kernel(self) -> Any:  # type: ignore[override]
        return None if self.layer_norm else ("kernel",)

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        G, H, R = len(self.gates), self.hidden_size, self._width
        biases = G * (1 + self.recurrent_bias)
        params = gate_params(self, key, input_size, gates=G, rows=R, biases=biases)
        norms = {
            "kernel_scale": G,
            "recurrent_scale": G,
            "cell_scale": 1,
            "cell_bias": 1,
        }
        params |= norm_params(self, **norms)
        bias, dtype = params["bias"], params["bias"].dtype
        # The first three that a key splits into are those of `gate_params`.
        projection_key, bias_key = jax.random.split(jax.random.fold_in(key, 3))
        if self.peepholes:
            params["peephole"] = jnp.zeros((G - 1) * H, dtype)
        if self.projection_size is not None:
            projection = self.kernel_init(projection_key, (H, R), dtype)
            params["projection_kernel"] = projection
        if self.recurrent_bias:
            params["recurrent_bias"] = bias[G:].reshape(-1)
        return params | {"bias": self._opened(bias[:G], bias_key)}

    def _opened(self, bias: Array, key: Key) -> Array:
        """The biases, the forget gate's such that it is open."""
        rows = dict(zip(self.gates, bias, strict=True))
        if self.chrono is None:
            rows["f"] += self.forget_bias
        else:
            b_f = Chrono(self.chrono)(key, bias.shape[1:], bias.dtype)
            rows |= {"f": b_f, "i": -b_f}
        return jnp.concatenate([rows[gate] for gate in self.gates])

    def prepare(self, params: PyTree, **options: Any) -> PyTree:
        ready = one_bias(super().prepare(params, **options))
        if self.forget_offset == 0:
            return ready
        forget = np.repeat([gate == "f" for gate in self.gates], self.hidden_size)
        offset = jnp.asarray(self.forget_offset * forget, ready["bias"].dtype)
        return ready | {"bias": ready["bias"] + offset}

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> LSTMCarry:
        start = lambda size: zeros(ready, (*batch_shape, size))
        return LSTMCarry(hidden=start(self._width), cell=start(self.hidden_size))

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        return norm_affine(self, ready, x, len(self.gates) * self.hidden_size)

    def recur(
        self, ready: PyTree, carry: LSTMCarry, z: Array
    ) -> tuple[LSTMCarry, Array]:
        product = matmul(carry.hidden, ready["recurrent_kernel"])
        gates = z + norm(self, ready, product, "recurrent_scale")
        s, functions = self.gate_activation, {"g": self.activation}
        if self.peepholes:
            gates += self._peep(ready, carry.cell)
            functions["o"] = "identity"  # it waits for the new cell
        *i, f, o, g = squash(gates, *(functions.get(gate, s) for gate in self.gates))
        c = f * carry.cell + (i[0] if i else 1 - f) * g
        if self.peepholes:
            (o,) = squash(o + ready["peephole"][-self.hidden_size :] * c, s)
        seen = norm(self, ready, c, "cell_scale", "cell_bias")
        h = o * activation(self._of_c)(seen)
        if self.projection_size is not None:
            h = matmul(h, ready["projection_kernel"])
        return LSTMCarry(hidden=h, cell=c), h

    def _peep(self, ready: PyTree, c: Array) -> Array:
        """What gates see of the old cell: p * c for i and f, nothing for o and g."""
        *before, _ = jnp.split(ready["peephole"], len(self.gates) - 1)
        nothing = jnp.zeros_like(c)
        seen = [*(p * c for p in before), nothing, nothing]
        return jnp.concatenate(seen, axis=-1)
