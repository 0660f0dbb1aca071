"""Long short-term memories over trees: a step has any number of steps before it."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cell import Cell
from jaxrnn.cells.gates import gate_params, squash
from jaxrnn.cells.lstm import LSTMCarry
from jaxrnn.initializers import Initializer, LecunNormal, Orthogonal, per_gate
from jaxrnn.product import affine, matmul, zeros
from jaxrnn.typing import Array, Key, PyTree, Shape, Size

Pair = tuple[Array, Array]  # i, o, g side by side, which children share; and f


class _TreeLSTM(Cell):
    """What Tree-LSTMs share: all but how the children's h enter the gates.

    Once prepared, gates stand in the order i, o, g, f.
    """

    hidden_size: int

    def prepare(self, params: PyTree, **given: Any) -> PyTree:
        ready = super().prepare(params, **given)
        return ready | {name: _forget_last(ready[name]) for name in ("kernel", "bias")}

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> LSTMCarry:
        start = zeros(ready, (*batch_shape, self.hidden_size))
        return LSTMCarry(hidden=start, cell=start)

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Pair:
        z = affine(x, ready["kernel"], ready["bias"])
        shared, f = jnp.split(z, [3 * self.hidden_size], axis=-1)
        return shared, f

    def merge(
        self, ready: PyTree, children: LSTMCarry, child_mask: Array, z: Pair
    ) -> tuple[LSTMCarry, Array]:
        """The step of a node whose children have made theirs.

        Args:
          ready: what `prepare` returned.
          children: their carries, `[*batch, K, H]`.
          child_mask: `[*batch, K]`, False where a child is absent; what stands there
            reaches nothing.
          z: what `project` made of the node's input.

        Returns:
          `(carry, output)` of the node.
        """
        hidden, cells = (jnp.where(child_mask[..., None], a, 0) for a in children)
        shared, forget = self._products(ready, hidden)
        i, o, g = squash(z[0] + shared, "s", "s", "tanh")
        (f,) = squash(z[1][..., None, :] + forget, "s")
        c = i * g + (f * cells).sum(axis=-2)
        h = o * jnp.tanh(c)
        return LSTMCarry(hidden=h, cell=c), h

    def recur(
        self, ready: PyTree, carry: LSTMCarry, z: Pair
    ) -> tuple[LSTMCarry, Array]:
        child = jax.tree.map(lambda a: a[..., None, :], carry)
        return self.merge(ready, child, jnp.ones(child.hidden.shape[:-1], bool), z)

    def _products(self, ready: PyTree, hidden: Array) -> Pair:
        """What they add to i, o, g, `[*batch, 3H]`, and to each f, `[*batch, K, H]`."""
        raise NotImplementedError


class ChildSumTreeLSTM(_TreeLSTM):
    """A Tree-LSTM of children in no order, any number of them: their states are added.

    ::

      i = s(W_i x + U_i s' + b_i)          s' = sum_k h_k, of the children k
      f_k = s(W_f x + U_f h_k + b_f)       a forget gate for each child
      o = s(W_o x + U_o s' + b_o)
      g = tanh(W_g x + U_g s' + b_g)
      c = i * g + sum_k f_k * c_k
      h = o * tanh(c)                      the output

    A node without children, a leaf, has s' = 0 and c = i * g. With one child it is an
    LSTM with the same parameters, and as one it reads sequences; trees are read by
    `unroll_tree`. The kernels' columns hold the gates in the order i, f, o, g.

    Args:
      hidden_size: H; the parameters are `kernel` `[input_size, 4H]`,
        `recurrent_kernel` `[H, 4H]` and `bias` `[4H]`.
      forget_bias: b_f at the start.
      kernel_init: of each gate's W.
      recurrent_init: of each gate's U.

    References:
      Tai, Socher, Manning 2015, equations 2 to 8; lecture 003.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.ChildSumTreeLSTM(4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> words = jnp.ones((1, 3, 3))  # one tree of two leaves and their root
      >>> children = jnp.array([[[-1, -1], [-1, -1], [0, 1]]])
      >>> carries, ys = jr.unroll_tree(cell, params, words, children)
      >>> ys.shape
      (1, 3, 4)
    """

    forget_bias: float = 1.0
    kernel_init: Initializer = LecunNormal()
    recurrent_init: Initializer = Orthogonal()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        return _lstm_params(self, key, input_size)

    def prepare(self, params: PyTree, **given: Any) -> PyTree:
        ready = super().prepare(params, **given)
        return ready | {"recurrent_kernel": _forget_last(ready["recurrent_kernel"])}

    def _products(self, ready: PyTree, hidden: Array) -> Pair:
        U, U_f = jnp.split(ready["recurrent_kernel"], [3 * self.hidden_size], axis=-1)
        return matmul(hidden.sum(axis=-2), U), matmul(hidden, U_f)


class NaryTreeLSTM(_TreeLSTM):
    """A Tree-LSTM of at most `arity` children in order: each has matrices of its own.

    ::

      i = s(W_i x + sum_l U_i^l h_l + b_i)
      f_k = s(W_f x + sum_l U_f^(k,l) h_l + b_f)       for each child k
      o = s(W_o x + sum_l U_o^l h_l + b_o)
      g = tanh(W_g x + sum_l U_g^l h_l + b_g)
      c = i * g + sum_k f_k * c_k
      h = o * tanh(c)                                  the output

    The h_l and c_l of absent children are 0. As a cell of sequences it has one child,
    the first.

    Args:
      hidden_size: H; the parameters are `kernel` `[input_size, 4H]` and `bias` `[4H]`
        with the gates in the order i, f, o, g, and `recurrent_kernel`
        `[arity * H, (3 + arity) * H]` with rows for child after child and columns in
        the order i, o, g, f_1, f_2, ...
      arity: the most children that a node can have.
      forget_bias: b_f at the start.
      kernel_init: of each gate's W.
      recurrent_init: of each U.

    References:
      Tai, Socher, Manning 2015, equations 9 to 14; lecture 003.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.NaryTreeLSTM(4, arity=2)
      >>> cell.init(jax.random.key(0), 3)["recurrent_kernel"].shape
      (8, 20)
    """

    arity: int = 2
    forget_bias: float = 1.0
    kernel_init: Initializer = LecunNormal()
    recurrent_init: Initializer = Orthogonal()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        key, *keys = jax.random.split(key, 1 + self.arity)
        block, gates = (self.hidden_size, self.hidden_size), 3 + self.arity
        draw = lambda key: per_gate(
            self.recurrent_init, key, block, gates=gates, dtype=self.param_dtype
        )
        recurrent_kernel = jnp.concatenate([draw(key) for key in keys])
        params = _lstm_params(self, key, input_size)
        return params | {"recurrent_kernel": recurrent_kernel}

    def _products(self, ready: PyTree, hidden: Array) -> Pair:
        *batch, K, H = hidden.shape
        if self.arity < K:
            raise ValueError(f"{self} merges at most {self.arity} children, got {K}")
        U = ready["recurrent_kernel"][: K * H, : (3 + K) * H]
        product = matmul(hidden.reshape(*batch, K * H), U)
        shared, forget = jnp.split(product, [3 * H], axis=-1)
        return shared, forget.reshape(*batch, K, H)


def _lstm_params(cell: Any, key: Key, input_size: Size | None) -> PyTree:
    params = gate_params(cell, key, input_size, gates=4)
    return params | {"bias": params["bias"].at[1].set(cell.forget_bias).reshape(-1)}


def _forget_last(gates: Array) -> Array:
    """The blocks i, f, o, g in the order i, o, g, f."""
    i, f, o, g = jnp.split(gates, 4, axis=-1)
    return jnp.concatenate([i, o, g, f], axis=-1)
