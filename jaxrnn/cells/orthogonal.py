"""A vanilla recurrent network whose matrix is orthogonal, whatever is learned."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.activations import Activation, activation
from jaxrnn.cell import Cell
from jaxrnn.cells.gates import one_size
from jaxrnn.initializers import Initializer, LecunNormal
from jaxrnn.product import cast, gate_dtype, matmul
from jaxrnn.typing import Array, Key, PyTree, Size


class OrthogonalRNN(Cell):
    """The vanilla network with an orthogonal U, which keeps norms: |U h| = |h|.

    ::

      h = f(W x + U h')                           the output
      f(a) = sign(a) * relu(|a| + b)              activation="modrelu"
      f(a) = g(a + b)                             activation=g, such as "tanh"

      U = (I + A)^-1 (I - A)                      parametrisation="cayley"
      U = exp(A) = I + A + A^2/2 + ...            parametrisation="exponential"
      U = Q_1 Q_2 ... Q_K                         parametrisation="householder"
      A = S - S^T
      Q_k = I - 2 v_k v_k^T / |v_k|^2

    U is built from its parameters once a sequence, so that every step of an optimiser
    ends in an orthogonal matrix. It acts as h' @ U, on rows.

    Args:
      hidden_size: H; the parameters are `kernel` W `[input_size, H]`, `bias` b `[H]`,
        and S as `skew_kernel` `[H, H]` or the v_k as `reflection_kernel` `[K, H]`.
      parametrisation: "cayley" and "exponential" give rotations, of determinant 1;
        Cayley's turn by less than pi. "householder" has the determinant (-1)^K.
      activation: f: "modrelu", or a function by name or at the top level of a module.
      reflections: K, of "householder" alone; None: H, as many as a matrix can need.
      kernel_init: of W.
      recurrent_init: of S or the v_k; `jaxrnn.initializers.Rotations` starts with
        planes that turn slowly, for long memories.

    References:
      Helfrich, Willmott, Ye 2018 (Cayley); Lezcano-Casado, Martínez-Rubio 2019
      (exponential); Mhammedi, Hellicar, Rahman, Bailey 2017 (Householder);
      modReLU: Arjovsky, Shah, Bengio 2016, equation 8; lectures 000, 004.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.OrthogonalRNN(4)
      >>> U = cell.prepare(cell.init(jax.random.key(0), 3))["recurrent_kernel"]
      >>> bool(jnp.allclose(U.T @ U, jnp.eye(4), atol=1e-6))
      True
    """

    hidden_size: int
    parametrisation: str = "cayley"
    activation: Activation = "modrelu"
    reflections: int | None = None
    kernel_init: Initializer = LecunNormal()
    recurrent_init: Initializer = LecunNormal()

    input_kernel = ("kernel",)

    def __post_init__(self) -> None:
        checks.one_of(tuple(_BUILDERS), parametrisation=self.parametrisation)
        if self.activation != "modrelu":
            activation(self.activation)
        if self.reflections is not None:
            checks.positive(reflections=self.reflections)
            if self.parametrisation != "householder":
                raise ValueError(
                    "`reflections` are those of parametrisation='householder', got "
                    f"{self.reflections} with {self.parametrisation!r}"
                )
        super().__post_init__()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        kernel_key, key = jax.random.split(key)
        size = one_size(input_size, self)
        H, dtype = self.hidden_size, self.param_dtype or jnp.float32
        return {
            "kernel": self.kernel_init(kernel_key, (size, H), dtype),
            self._source: self.recurrent_init(key, (self.reflections or H, H), dtype),
            "bias": jnp.zeros(H, dtype),
        }

    def prepare(self, params: PyTree, **given: Any) -> PyTree:
        others = {name: a for name, a in params.items() if name != self._source}
        source = params[self._source]
        build = _BUILDERS[self.parametrisation]
        with jax.default_matmul_precision("highest"):  # accelerators round to less
            U = build(cast(source, gate_dtype(source.dtype)))
        others["recurrent_kernel"] = cast(U, self.dtype or source.dtype)
        return super().prepare(others, **given)

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        product = matmul(x, ready["kernel"])
        return product if self.activation == "modrelu" else product + ready["bias"]

    def recur(self, ready: PyTree, carry: Array, z: Array) -> tuple[Array, Array]:
        a = z + matmul(carry, ready["recurrent_kernel"])
        if self.activation == "modrelu":
            h = modrelu(a, ready["bias"])
        else:
            h = activation(self.activation)(a)
        return h, h

    @property
    def _source(self) -> str:
        """The name of the parameter that U is built from."""
        householder = self.parametrisation == "householder"
        return "reflection_kernel" if householder else "skew_kernel"


def modrelu(a: Array, bias: Array) -> Array:
    """sign(a) * relu(|a| + bias): what is longer than -bias keeps its sign.

    Stated so that its slope is 1 wherever the unit is open, also at a = 0.

    Example:
      >>> modrelu(jnp.array([-3.0, 0.5, 2.0]), jnp.array(-1.0)).tolist()
      [-2.0, 0.0, 1.0]
    """
    return jnp.where(jnp.abs(a) + bias >= 0, a + jnp.sign(a) * bias, 0)


def cayley(S: Array) -> Array:
    """(I + A)^-1 (I - A) of A = S - S^T.

    Example:
      >>> cayley(jnp.array([[0.0, 0.0], [1.0, 0.0]])).tolist()
      [[0.0, 1.0], [-1.0, 0.0]]
    """
    A, one = S - S.T, jnp.eye(len(S), dtype=S.dtype)
    return nearest(jnp.linalg.solve(one + A, one - A))


# The diagonal Padé approximant of degree 7 to exp. It is orthogonal whatever A is, and
# exact to rounding up to an angle of 0.95 (Higham 2005); squared six times, up to 61:
# almost ten turns a step.
_PADE = [math.comb(7, k) / math.perm(14, k) for k in range(8)]
_SQUARINGS = 6


def exponential(S: Array) -> Array:
    """exp(A) of A = S - S^T, as exp(A / 2^s) squared s times.

    Example:
      >>> exponential(jnp.array([[0.0, 0.0], [jnp.pi / 2, 0.0]])).round(3).tolist()
      [[0.0, -1.0], [1.0, 0.0]]
    """
    A, one = (S - S.T) / 2**_SQUARINGS, jnp.eye(len(S), dtype=S.dtype)
    square = A @ A
    fourth = square @ square
    powers = one, square, fourth, fourth @ square
    series = lambda weights: sum(b * P for b, P in zip(weights, powers, strict=True))
    even, odd = series(_PADE[0::2]), A @ series(_PADE[1::2])
    U = jnp.linalg.solve(even - odd, even + odd)
    for _ in range(_SQUARINGS):
        U = U @ U
    return nearest(U)


def householder(V: Array) -> Array:
    """Q_1 Q_2 ... Q_K of the rows v_k of V, in one triangular solve.

    ::

      Q_1 Q_2 ... Q_K = I - V^T T V
      T^-1 = the upper triangle of V V^T, its diagonal halved

    (the compact WY form of Schreiber, Van Loan 1989; its inverse: Puglisi 1992).

    Example:
      >>> householder(jnp.array([[1.0, 0.0], [0.0, 3.0]])).tolist()
      [[-1.0, 0.0], [0.0, -1.0]]
    """
    (K, H), products = V.shape, jnp.triu(V @ V.T)
    inverse = products * (1 - jnp.eye(K, dtype=V.dtype) / 2)
    TV = jax.scipy.linalg.solve_triangular(inverse, V)
    return jnp.eye(H, dtype=V.dtype) - V.T @ TV


def nearest(U: Array) -> Array:
    """One step of Newton's iteration to the nearest orthogonal matrix.

    What rounding has left, E = U^T U - I, becomes of the order of E^2. The slope at an
    orthogonal matrix, along orthogonal matrices, is 1.

    Example:
      >>> nearest(jnp.array([[0.0, 1.01], [-1.0, 0.0]])).round(3).tolist()
      [[0.0, 1.0], [-1.0, 0.0]]
    """
    return 1.5 * U - 0.5 * U @ (U.T @ U)


_BUILDERS = {
    "cayley": cayley,
    "exponential": exponential,
    "householder": householder,
}
