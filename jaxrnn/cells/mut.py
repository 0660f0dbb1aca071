"""The three units that an evolutionary search found beside the GRU."""

from typing import ClassVar

import jax
import jax.numpy as jnp

from jaxrnn.cell import Cell
from jaxrnn.cells.gates import gate_params, one_size, squash
from jaxrnn.initializers import Initializer, LecunNormal, Orthogonal, per_gate
from jaxrnn.product import affine, matmul
from jaxrnn.typing import Array, Key, PyTree, Size


class _BareInput(Cell):
    """A unit in one of whose gates the input stands bare, of the hidden state's size.

    An input of another size gets there by a product with `bare_kernel`.
    """

    hidden_size: int
    kernel_init: Initializer = LecunNormal()
    recurrent_init: Initializer = Orthogonal()

    _recurrent_gates: ClassVar[int]

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        keys = jax.random.split(key, 3)
        n, H, G = one_size(input_size, self), self.hidden_size, self._recurrent_gates
        dtype = self.param_dtype or jnp.float32
        W = per_gate(self.kernel_init, keys[0], (n, H), gates=2, dtype=dtype)
        U = per_gate(self.recurrent_init, keys[1], (H, H), gates=G, dtype=dtype)
        params = {"kernel": W, "recurrent_kernel": U, "bias": jnp.zeros(3 * H, dtype)}
        if n != H:
            params["bare_kernel"] = self.kernel_init(keys[2], (n, H), dtype)
        return params

    def _bare(self, ready: PyTree, x: Array) -> Array:
        if "bare_kernel" in ready:
            return matmul(x, ready["bare_kernel"])
        return x.astype(ready["bias"].dtype)


class MUT1(_BareInput):
    """The first of the three: its update gate reads the input alone.

    ::

      z = s(W_z x + b_z)                         update gate
      r = s(W_r x + U_r h' + b_r)                reset gate
      n = tanh(U_n (r * h') + tanh(X) + b_n)     candidate
      h = n * z + h' * (1 - z)                   the output

    X is x itself where input_size is H, else B x. The columns of `kernel` hold the
    gates in the order z, r, those of `recurrent_kernel` r, n, and `bias` z, r, n.

    Args:
      hidden_size: H; the parameters are `kernel` `[input_size, 2H]`,
        `recurrent_kernel` `[H, 2H]`, `bias` `[3H]`, and B as `bare_kernel`
        `[input_size, H]` where the sizes differ.
      kernel_init: of each W, and of B.
      recurrent_init: of each U.

    References:
      Jozefowicz, Zaremba, Sutskever 2015, MUT1; lecture 001.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.MUT1(4)
      >>> sorted(cell.init(jax.random.key(0), 4))
      ['bias', 'kernel', 'recurrent_kernel']
      >>> params = cell.init(jax.random.key(0), 3)
      >>> params["bare_kernel"].shape
      (3, 4)
      >>> jr.unroll(cell, params, jnp.ones((7, 2, 3)))[1].shape
      (7, 2, 4)
    """

    _recurrent_gates: ClassVar[int] = 2

    def project(
        self, ready: PyTree, x: Array, *, key: Key | None = None
    ) -> tuple[Array, Array, Array]:
        b_z, b_r, b_n = jnp.split(ready["bias"], 3)
        z, r = jnp.split(matmul(x, ready["kernel"]), 2, axis=-1)
        return jax.nn.sigmoid(z + b_z), r + b_r, jnp.tanh(self._bare(ready, x)) + b_n

    def recur(
        self, ready: PyTree, carry: Array, z: tuple[Array, Array, Array]
    ) -> tuple[Array, Array]:
        (update, r, n), U = z, ready["recurrent_kernel"]
        U_r, U_n = jnp.split(U, 2, axis=-1)
        r = jax.nn.sigmoid(r + matmul(carry, U_r))
        n = jnp.tanh(n + matmul(r * carry, U_n))
        h = n * update + carry * (1 - update)
        return h, h


class MUT2(_BareInput):
    """The second of the three: its reset gate reads the input bare.

    ::

      z = s(W_z x + U_z h' + b_z)                update gate
      r = s(X + U_r h' + b_r)                    reset gate
      n = tanh(U_n (r * h') + W_n x + b_n)       candidate
      h = n * z + h' * (1 - z)                   the output

    X is x itself where input_size is H, else B x. The columns of `kernel` hold the
    gates in the order z, n, those of `recurrent_kernel` and `bias` z, r, n.

    Args:
      hidden_size: H; the parameters are `kernel` `[input_size, 2H]`,
        `recurrent_kernel` `[H, 3H]`, `bias` `[3H]`, and B as `bare_kernel`
        `[input_size, H]` where the sizes differ.
      kernel_init: of each W, and of B.
      recurrent_init: of each U.

    References:
      Jozefowicz, Zaremba, Sutskever 2015, MUT2; lecture 001.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.MUT2(4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> jr.unroll(cell, params, jnp.ones((7, 2, 3)))[1].shape
      (7, 2, 4)
    """

    _recurrent_gates: ClassVar[int] = 3

    def project(
        self, ready: PyTree, x: Array, *, key: Key | None = None
    ) -> list[Array]:
        z, n = jnp.split(matmul(x, ready["kernel"]), 2, axis=-1)
        gates = jnp.concatenate([z, self._bare(ready, x), n], axis=-1)
        return jnp.split(gates + ready["bias"], [2 * self.hidden_size], axis=-1)

    def recur(self, ready: PyTree, carry: Array, z: list[Array]) -> tuple[Array, Array]:
        (gates, n), U = z, ready["recurrent_kernel"]
        U_zr, U_n = jnp.split(U, [2 * self.hidden_size], axis=-1)
        update, r = squash(gates + matmul(carry, U_zr), "s", "s")
        n = jnp.tanh(n + matmul(r * carry, U_n))
        h = n * update + carry * (1 - update)
        return h, h


class MUT3(Cell):
    """The third of the three: its update gate reads the state through a tanh.

    ::

      z = s(W_z x + U_z tanh(h') + b_z)          update gate
      r = s(W_r x + U_r h' + b_r)                reset gate
      n = tanh(U_n (r * h') + W_n x + b_n)       candidate
      h = n * z + h' * (1 - z)                   the output

    The kernels' columns hold the gates in the order z, r, n.

    Args:
      hidden_size: H; the parameters are `kernel` `[input_size, 3H]`,
        `recurrent_kernel` `[H, 3H]` and `bias` `[3H]`.
      kernel_init: of each gate's W.
      recurrent_init: of each gate's U.

    References:
      Jozefowicz, Zaremba, Sutskever 2015, MUT3; lecture 001.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.MUT3(4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> jr.unroll(cell, params, jnp.ones((7, 2, 3)))[1].shape
      (7, 2, 4)
    """

    hidden_size: int
    kernel_init: Initializer = LecunNormal()
    recurrent_init: Initializer = Orthogonal()

    input_kernel = ("kernel",)

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        params = gate_params(self, key, input_size, gates=3)
        return params | {"bias": params["bias"].reshape(-1)}

    def project(
        self, ready: PyTree, x: Array, *, key: Key | None = None
    ) -> list[Array]:
        return jnp.split(affine(x, ready["kernel"], ready["bias"]), 3, axis=-1)

    def recur(self, ready: PyTree, carry: Array, z: list[Array]) -> tuple[Array, Array]:
        (update, r, n), U = z, ready["recurrent_kernel"]
        U_z, U_r, U_n = jnp.split(U, 3, axis=-1)
        update = jax.nn.sigmoid(update + matmul(jnp.tanh(carry), U_z))
        r = jax.nn.sigmoid(r + matmul(carry, U_r))
        n = jnp.tanh(n + matmul(r * carry, U_n))
        h = n * update + carry * (1 - update)
        return h, h
