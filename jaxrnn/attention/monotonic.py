"""An attention that never goes back."""

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxrnn.attention.additive import Additive
from jaxrnn.attention.attention import Look
from jaxrnn.typing import Array, Key, PyTree


class Monotonic(Additive):
    """From where it was, the attention moves on until it takes a position.

    ::

      e_s = g v / |v| . tanh(W q + U m_s + b) + r
      p_s = s(e_s + noise)                            in training: under a key
      p_s = 1 if e_s > 0 else 0                       without one
      q_s = (1 - p_{s-1}) q_{s-1} + a'_s              how likely it comes to s
      a_s = p_s q_s

    where a' is the last alignment, before the first step all on position 0. In training
    a is the expected alignment, exactly; else it is 1 at one position, so that nothing
    behind it needs to be known. Once no position is taken, all contexts to come are
    zero.

    Args:
      size: as of `Additive`, and likewise `coverage` and `kernel_init`; beside its
        parameters there are `score_gain` g and `score_bias` r, numbers.
      noise: the standard deviation of the Gaussian noise before s, which drives the
        p_s to 0 and 1.
      start_bias: r at the start: below 0 the attention moves on at first.

    References:
      Raffel, Luong, Liu, Weiss, Eck 2017, equations 8 to 10 and 16, algorithm 1.

    Example:
      >>> import jaxrnn as jr
      >>> score = jr.attention.Monotonic(6)
      >>> params = score.init(jax.random.key(0), 4, 3)
      >>> _, weights = score(params, jnp.ones((2, 4)), jnp.ones((2, 5, 3)))
      >>> set(weights.ravel().tolist()) <= {0.0, 1.0}
      True
    """

    noise: float = 1.0
    start_bias: float = -1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.normalize != "softmax":
            raise ValueError(
                "`Monotonic` has a rule of its own in place of `normalize`"
            )
        if self.noise < 0:
            raise ValueError(f"`noise` must be at least 0, got {self.noise}")

    def init(
        self,
        key: Key,
        query_size: int,
        memory_size: int,
        value_size: int | None = None,
        *,
        dtype: DTypeLike = jnp.float32,
    ) -> PyTree:
        return super().init(key, query_size, memory_size, dtype=dtype) | {
            "score_gain": jnp.asarray(self.size**-0.5, dtype),
            "score_bias": jnp.asarray(self.start_bias, dtype),
        }

    def read(
        self,
        params: PyTree,
        memory: Array,
        mask: Array | None = None,
        *,
        values: Array | None = None,
    ) -> PyTree:
        v = params["score_scale"]
        scale = params["score_gain"] * v / jnp.linalg.norm(v)
        ready = super().read(params, memory, mask, values=values)
        return ready | {"score_scale": scale}

    def start(self, ready: PyTree) -> Look:
        nowhere = super().start(ready)
        return nowhere._replace(alignment=nowhere.alignment.at[..., :1].set(1))

    def draw(self, ready: PyTree, key: Key | None) -> tuple[PyTree, Key | None]:
        if key is None:
            return None, None
        own, key = jax.random.split(key)
        keys = ready["keys"]
        noise = self.noise * jax.random.normal(own, keys.shape[:-1], keys.dtype)
        return noise, key

    def align(self, ready: PyTree, scores: Array, past: Look, noise: PyTree) -> Array:
        scores = scores + ready["score_bias"]
        if noise is None:
            taken = (scores > 0).astype(scores.dtype)
        else:
            taken = jax.nn.sigmoid(scores + noise)
        if ready["real"] is not None:
            taken = jnp.where(ready["real"], taken, 0)
        return expected(taken, past.alignment)


def expected(taken: Array, last: Array) -> Array:
    """The expected alignment, from where each position is taken and the last one.

    Args:
      taken: p `[..., S]`, the probability that a position which is come to is taken.
      last: a' `[..., S]`.

    Returns:
      a `[..., S]`, in log2(S) rounds, without a division.

    Example:
      >>> expected(jnp.array([0.5, 0.5, 1.0]), jnp.array([1.0, 0.0, 0.0])).tolist()
      [0.5, 0.25, 0.25]
    """
    passed = jnp.concatenate([jnp.ones_like(taken[..., :1]), 1 - taken[..., :-1]], -1)
    passed = passed[..., : taken.shape[-1]]  # of no position nothing
    after = lambda one, two: (two[0] * one[0], two[0] * one[1] + two[1])
    _, reached = jax.lax.associative_scan(after, (passed, last), axis=-1)
    return taken * reached
