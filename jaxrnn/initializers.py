"""Initial weights, each gate's block drawn on its own."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.product import gate_dtype
from jaxrnn.spec import Spec
from jaxrnn.typing import Array, Key, Shape


class Initializer(Spec):
    """A function `(key, shape, dtype) -> weights` that compares and prints by value."""

    def __call__(self, key: Key, shape: Shape, dtype: Any = jnp.float32) -> Array:
        raise NotImplementedError


class Orthogonal(Initializer):
    """`scale` times an orthogonal matrix, uniformly drawn.

    All singular values are `scale`; of the shorter side if the matrix is not square.
    It keeps norms through time: ||U h|| = ||h||.

    References:
      Saxe, McClelland, Ganguli 2014; lectures 000 and 004.

    Example:
      >>> U = Orthogonal()(jax.random.key(0), (4, 4))
      >>> bool(jnp.allclose(U.T @ U, jnp.eye(4), atol=1e-6))
      True
    """

    scale: float = 1.0

    def __call__(self, key: Key, shape: Shape, dtype: Any = jnp.float32) -> Array:
        if 0 in shape:
            return jnp.zeros(shape, dtype)
        wide = gate_dtype(dtype)  # QR knows no bfloat16
        return jax.nn.initializers.orthogonal(self.scale)(key, shape, wide).astype(
            dtype
        )


class Identity(Initializer):
    """`scale` times the identity (Le, Jaitly, Hinton 2015: IRNN).

    Example:
      >>> Identity(0.5)(jax.random.key(0), (2, 2)).tolist()
      [[0.5, 0.0], [0.0, 0.5]]
    """

    scale: float = 1.0

    def __call__(self, key: Key, shape: Shape, dtype: Any = jnp.float32) -> Array:
        return self.scale * jnp.eye(shape[0], shape[1], dtype=dtype)


class Rotations(Initializer):
    """S of an `OrthogonalRNN` whose units turn in pairs, each pair at its own speed.

    ::

      S[2i + 1, 2i] = tan(t_i / 2)    parametrisation="cayley"
      S[2i + 1, 2i] = t_i             parametrisation="exponential"
      t_i ~ U(0, most)

    so that U turns the plane of the units 2i and 2i + 1 by t_i. The last of an odd
    number of units stands still. Slow planes remember long.

    Args:
      most: the largest angle, in radians, in (0, pi).
      parametrisation: the cell's.

    References:
      Henaff, Szlam, LeCun 2016; Helfrich, Willmott, Ye 2018 (with tan(t/2) as
      sqrt((1 - cos t) / (1 + cos t))).

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.OrthogonalRNN(4, recurrent_init=Rotations(jnp.pi / 2))
      >>> U = cell.prepare(cell.init(jax.random.key(0), 3))["recurrent_kernel"]
      >>> bool(jnp.all(jnp.diagonal(U) > 0) & jnp.all(U[:2, 2:] == 0))
      True
    """

    most: float = math.pi / 2
    parametrisation: str = "cayley"

    def __post_init__(self) -> None:
        known = ("cayley", "exponential")
        checks.one_of(known, parametrisation=self.parametrisation)
        if not 0 < self.most < math.pi:
            raise ValueError(f"`most` must be in (0, pi), got {self.most}")
        super().__post_init__()

    def __call__(self, key: Key, shape: Shape, dtype: Any = jnp.float32) -> Array:
        even = 2 * jnp.arange(shape[0] // 2)
        wide = gate_dtype(dtype)
        turns = jax.random.uniform(key, even.shape, wide, 0.0, self.most)
        if self.parametrisation == "cayley":
            turns = jnp.tan(turns / 2)
        return jnp.zeros(shape, dtype).at[even + 1, even].set(turns.astype(dtype))


class NormalizedPositive(Initializer):
    """A positive-definite matrix whose largest eigenvalue is 1.

    ::

      A = R^T R / H + I,  R ~ N(0, 1)
      U = A / max(eigenvalues of A)

    Applied again and again it keeps one direction and lets none grow.

    Raises:
      ValueError: for a matrix that is not square.

    References:
      Talathi, Vartak 2016.

    Example:
      >>> U = NormalizedPositive()(jax.random.key(0), (4, 4))
      >>> eigenvalues = jnp.linalg.eigvalsh(U)
      >>> bool(eigenvalues[0] > 0), round(float(eigenvalues[-1]), 5)
      (True, 1.0)
    """

    def __call__(self, key: Key, shape: Shape, dtype: Any = jnp.float32) -> Array:
        n, m = shape
        if n != m:
            raise ValueError(f"`NormalizedPositive` is square, got the shape {shape}")
        if n == 0:
            return jnp.zeros(shape, dtype)
        R = jax.random.normal(key, shape, gate_dtype(dtype))  # eigh knows no bfloat16
        A = R.T @ R / n + jnp.eye(n, dtype=R.dtype)
        return (A / jnp.linalg.eigvalsh(A)[-1]).astype(dtype)


class Zeros(Initializer):
    """Zero everywhere, as biases start.

    Example:
      >>> Zeros()(jax.random.key(0), (2,)).tolist()
      [0.0, 0.0]
    """

    def __call__(self, key: Key, shape: Shape, dtype: Any = jnp.float32) -> Array:
        return jnp.zeros(shape, dtype)


class Normal(Initializer):
    """N(0, stddev^2).

    Example:
      >>> Normal(0.01)(jax.random.key(0), (5, 3)).shape
      (5, 3)
    """

    stddev: float = 0.01

    def __call__(self, key: Key, shape: Shape, dtype: Any = jnp.float32) -> Array:
        return self.stddev * jax.random.normal(key, shape, dtype)


class Uniform(Initializer):
    """U(-bound, bound).

    Example:
      >>> bool(jnp.all(jnp.abs(Uniform(0.1)(jax.random.key(0), (5, 3))) <= 0.1))
      True
    """

    bound: float = 0.1

    def __call__(self, key: Key, shape: Shape, dtype: Any = jnp.float32) -> Array:
        return jax.random.uniform(key, shape, dtype, -self.bound, self.bound)


class LecunNormal(Initializer):
    """N(0, 1/n) for `n` inputs, cut at two deviations.

    References:
      LeCun, Bottou, Orr, Müller 1998.

    Example:
      >>> LecunNormal()(jax.random.key(0), (5, 3)).shape
      (5, 3)
    """

    def __call__(self, key: Key, shape: Shape, dtype: Any = jnp.float32) -> Array:
        if 0 in shape:
            return jnp.zeros(shape, dtype)
        return jax.nn.initializers.lecun_normal()(key, shape, dtype)


class GlorotUniform(Initializer):
    """U(-b, b) with b = sqrt(6 / (n + m)) for `n` inputs and `m` outputs.

    References:
      Glorot, Bengio 2010, equation 16.

    Example:
      >>> weights = GlorotUniform()(jax.random.key(0), (5, 3))
      >>> bool(jnp.all(jnp.abs(weights) <= (6 / 8) ** 0.5))
      True
    """

    def __call__(self, key: Key, shape: Shape, dtype: Any = jnp.float32) -> Array:
        if 0 in shape:
            return jnp.zeros(shape, dtype)
        return jax.nn.initializers.glorot_uniform()(key, shape, dtype)


class Chrono(Initializer):
    """Biases of forget gates that remember for 2 to `longest` steps.

    ::

      b = log(u),  u ~ U(1, longest - 1)

    A gate f = s(b) keeps a cell for about 1 / (1 - f) = 1 + exp(b) = 1 + u steps.

    Args:
      longest: the longest dependency, in steps; at least 3.

    References:
      Tallec, Ollivier 2018, section 3.

    Example:
      >>> b = Chrono(100)(jax.random.key(0), (5,))
      >>> bool(jnp.all((b >= 0) & (b <= jnp.log(99))))
      True
    """

    longest: int

    def __post_init__(self) -> None:
        checks.positive(longest=self.longest)
        if self.longest < 3:
            raise ValueError(f"`longest` must be at least 3, got {self.longest}")
        super().__post_init__()

    def __call__(self, key: Key, shape: Shape, dtype: Any = jnp.float32) -> Array:
        wide, most = gate_dtype(dtype), self.longest - 1.0
        return jnp.log(jax.random.uniform(key, shape, wide, 1.0, most)).astype(dtype)


class Whole(Initializer):
    """The blocks of all gates drawn as one matrix `[n, G*H]`, as Keras does.

    Args:
      init: how to draw it.

    Example:
      Rows that are orthogonal over all gates, so that no gate alone is:

      >>> U = per_gate(Whole(Orthogonal()), jax.random.key(0), (3, 3), gates=2)
      >>> bool(jnp.allclose(U @ U.T, jnp.eye(3), atol=1e-6))
      True
    """

    init: Initializer

    def __call__(self, key: Key, shape: Shape, dtype: Any = jnp.float32) -> Array:
        return self.init(key, shape, dtype)


def per_gate(
    init: Initializer, key: Key, shape: Shape, *, gates: int, dtype: Any = None
) -> Array:
    """Weights `[n, gates * m]` of `gates` blocks, each drawn on its own.

    One orthogonal `[H, 4H]` matrix is not four orthogonal gates: drawn whole, the
    blocks' singular values lie anywhere between 0 and 1.

    Args:
      init: how to draw one block; `Whole`: how to draw them together.
      key: randomness.
      shape: `(n, m)`, one gate's block.
      gates: how many blocks stand side by side.
      dtype: of the weights; None: float32.

    Example:
      >>> U = per_gate(Orthogonal(), jax.random.key(0), (3, 3), gates=2)
      >>> [round(float(s), 4) for s in jnp.linalg.svd(U[:, 3:])[1]]
      [1.0, 1.0, 1.0]
    """
    dtype = jnp.float32 if dtype is None else dtype
    if isinstance(init, Whole):
        return init(key, (shape[0], gates * shape[1]), dtype)
    blocks = [init(k, shape, dtype) for k in jax.random.split(key, gates)]
    return jnp.concatenate(blocks, axis=-1)
