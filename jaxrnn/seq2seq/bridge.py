"""From what an encoder ends in to what a decoder starts from."""

import itertools
import math

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxrnn.activations import Activation, activation
from jaxrnn.attention import AttendCarry
from jaxrnn.initializers import Initializer, LecunNormal
from jaxrnn.product import affine
from jaxrnn.spec import Spec
from jaxrnn.typing import Array, Key, PyTree


class Bridge(Spec):
    """A decoder's first carry, made from an encoder's last one.

    ::

      d = tanh(W e + b)

    where e holds all states that the encoder ends in, of every layer and both
    directions, and d all those that the decoder starts from. So sizes, depths and kinds
    of cells may differ. What is no state stays as the decoder has it: where an `Attend`
    looked, and counts. A state that must be positive, the normaliser of a `ScalarLSTM`,
    cannot be bridged to.

    Args:
      activation: in the place of tanh, by name or a function at the top level of a
        module.
      kernel_init: of W `[e, d]`, the parameter `kernel`, beside `bias` b `[d]`.

    References:
      Bahdanau, Cho, Bengio 2015, appendix A.2.2, there of the backward states alone.

    Example:
      >>> import jaxrnn as jr
      >>> both = jr.Stack(jr.Embed(9, 3), jr.Bidirectional(jr.GRU(4)))
      >>> writer = jr.Stack(jr.Embed(7, 3), jr.LSTM(5), jr.Dense(7))
      >>> model = jr.EncoderDecoder(writer, encoder=both, bridge=Bridge())
      >>> params = model.init(jax.random.key(0))
      >>> params["bridge"]["kernel"].shape
      (8, 10)
    """

    activation: Activation = "tanh"
    kernel_init: Initializer = LecunNormal()

    def __post_init__(self) -> None:
        activation(self.activation)
        super().__post_init__()

    def init(
        self, key: Key, last: PyTree, first: PyTree, dtype: DTypeLike = jnp.float32
    ) -> PyTree:
        """Random parameters.

        Args:
          key: randomness.
          last: the encoder's last carry of one row, or its shapes.
          first: the decoder's initial carry of one row, or its shapes.
          dtype: of the parameters.
        """
        sizes = [sum(a.size for a in _floating(tree)) for tree in (last, first)]
        kernel = self.kernel_init(key, tuple(sizes), dtype)
        return {"kernel": kernel, "bias": jnp.zeros(sizes[1], dtype)}

    def __call__(self, ready: PyTree, last: PyTree, first: PyTree, ndim: int) -> PyTree:
        """The decoder's first carry.

        Args:
          ready: the parameters, as a sequence computes with them.
          last: the encoder's last carry.
          first: the decoder's initial carry.
          ndim: the number of batch axes.
        """
        flat = lambda a: a.reshape(*a.shape[:ndim], math.prod(a.shape[ndim:]))
        states = _floating(first)
        sizes = [math.prod(a.shape[ndim:]) for a in states]
        e = jnp.concatenate([flat(a) for a in _floating(last)], axis=-1)
        d = activation(self.activation)(affine(e, ready["kernel"], ready["bias"]))
        parts = jnp.split(d, list(itertools.accumulate(sizes))[:-1], axis=-1)
        pairs = zip(parts, states, strict=True)
        bridged = iter([p.reshape(a.shape).astype(a.dtype) for p, a in pairs])
        leaves = jax.tree.leaves(states_of(first))
        return with_states(first, [next(bridged) if _moves(a) else a for a in leaves])


def states_of(carry: PyTree) -> PyTree:
    """A carry with None where an `Attend` holds what is no state of a cell's."""

    def bare(node: PyTree) -> PyTree:
        if not isinstance(node, AttendCarry):
            return node
        return AttendCarry(states_of(node.cell), None, None)  # type: ignore[arg-type]

    return jax.tree.map(bare, carry, is_leaf=lambda a: isinstance(a, AttendCarry))


def with_states(carry: PyTree, leaves: list[Array]) -> PyTree:
    """A carry with other leaves where `states_of` has its own."""
    states = jax.tree.unflatten(jax.tree.structure(states_of(carry)), leaves)
    chosen = lambda state, own: own if state is None else state
    return jax.tree.map(chosen, states, carry, is_leaf=lambda a: a is None)


def _floating(carry: PyTree) -> list[Array]:
    return [a for a in jax.tree.leaves(states_of(carry)) if _moves(a)]


def _moves(leaf: Array) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.floating)
