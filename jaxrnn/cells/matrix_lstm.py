"""The LSTM with exponential gates and matrix memory: mLSTM, of xLSTM."""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.cell import Cell
from jaxrnn.cells.gates import one_size
from jaxrnn.initializers import Initializer, LecunNormal, per_gate
from jaxrnn.product import affine, zeros
from jaxrnn.typing import Array, Key, PyTree, Shape, Size
from jaxrnn.unroll.chunks import scan_chunks
from jaxrnn.unroll.leaves import without_start
from jaxrnn.unroll.masks import select, zero_padding


class MatrixLSTMCarry(NamedTuple):
    """What a `MatrixLSTM` hands the next step; d is its `head_size`.

    Attributes:
      memory: C / exp(m), `[*batch, heads, d, d]`.
      normaliser: u / exp(m), `[*batch, heads, d]`.
      stabiliser: m, `[*batch, heads]`.
    """

    memory: Array
    normaliser: Array
    stabiliser: Array


class _Read(NamedTuple):
    """What an input says: q, k, v, o `[..., heads, d]`; log i, log f `[..., heads]`."""

    query: Array
    key: Array
    value: Array
    output: Array
    log_input: Array
    log_forget: Array


class MatrixLSTM(Cell):
    """The LSTM whose memory is a matrix that stores values v under keys k, mLSTM.

    ::

      q = W_q x + b_q                      query
      k = (W_k x + b_k) / sqrt(d)          key
      v = W_v x + b_v                      value
      o = s(W_o x + b_o)                   output gate
      i = exp(w_i x + b_i)                 input gate, one number a head
      f = s(w_f x + b_f)                   forget gate, one number a head
      C = f C' + i v k^T                   memory
      u = f u' + i k                       normaliser
      h = o * (C q) / max(|u . q|, 1)      the output, of all heads side by side

    The exponentials may be of any size, so the carry holds C / exp(m) and u / exp(m),
    m = max(log f + m', log i). The output does not depend on m.

    No gate reads h', so a sequence runs in chunks of steps: within a chunk every step
    attends to those before it, and only between chunks there is a memory. The numbers
    are those of step after step.

    The columns of `kernel` hold the order q, k, v, o, those of `gate_kernel` i, f; in
    each stands head after head.

    Args:
      heads: memories side by side.
      head_size: d; the parameters are `kernel` `[input_size, 4*heads*d]`, `bias`
        `[4*heads*d]`, `gate_kernel` `[input_size, 2*heads]` and `gate_bias`
        `[2*heads]`, where b_f starts at 3 in the first head and rises to 6 in the last.
      chunk: the most steps in a chunk. The work grows with it, and for the backward
        pass a memory is kept for every chunk: about d is a good length.
      kernel_init: of each W and w.

    References:
      Beck et al. 2024, "xLSTM", equations 19 to 27. In chunks: Sun et al. 2023,
      "Retentive Network", section 2.

    Example:
      >>> import jax, jaxrnn as jr
      >>> cell = jr.MatrixLSTM(heads=2, head_size=4)
      >>> params = cell.init(jax.random.key(0), 3)
      >>> carry, ys = jr.unroll(cell, params, jnp.ones((7, 5, 3)))
      >>> ys.shape, carry.memory.shape
      ((7, 5, 8), (5, 2, 4, 4))
    """

    heads: int
    head_size: int
    chunk: int = 64
    kernel_init: Initializer = LecunNormal()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        keys, n = jax.random.split(key), one_size(input_size, self)
        dtype, width = self.param_dtype or jnp.float32, self.heads * self.head_size
        draw = lambda key, size, gates: per_gate(
            self.kernel_init, key, (n, size), gates=gates, dtype=dtype
        )
        forget_bias = jnp.linspace(3.0, 6.0, self.heads, dtype=dtype)
        return {
            "kernel": draw(keys[0], width, 4),
            "bias": jnp.zeros(4 * width, dtype),
            "gate_kernel": draw(keys[1], self.heads, 2),
            "gate_bias": jnp.append(jnp.zeros(self.heads, dtype), forget_bias),
        }

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> MatrixLSTMCarry:
        d, start = self.head_size, zeros(ready, (*batch_shape, self.heads))
        wide = lambda *sizes: zeros(ready, (*start.shape, *sizes))
        return MatrixLSTMCarry(wide(d, d), wide(d), start)

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> _Read:
        per_head = lambda a: a.reshape(*a.shape[:-1], self.heads, self.head_size)
        wide = affine(x, ready["kernel"], ready["bias"])
        q, k, v, o = map(per_head, jnp.split(wide, 4, axis=-1))
        gates = affine(x, ready["gate_kernel"], ready["gate_bias"])
        log_i, f = jnp.split(gates, 2, axis=-1)
        k, o = k / math.sqrt(self.head_size), jax.nn.sigmoid(o)
        return _Read(q, k, v, o, log_i, jax.nn.log_sigmoid(f))

    def recur(
        self, ready: PyTree, carry: MatrixLSTMCarry, z: _Read
    ) -> tuple[MatrixLSTMCarry, Array]:
        kept = z.log_forget + carry.stabiliser
        m = jnp.maximum(kept, z.log_input)
        f, i = jnp.exp(kept - m)[..., None], jnp.exp(z.log_input - m)[..., None]
        written = i * z.key
        C = f[..., None] * carry.memory + z.value[..., None] * written[..., None, :]
        u = f * carry.normaliser + written
        value = jnp.sum(C * z.query[..., None, :], axis=-1)
        h = _output(z.output, value, jnp.sum(u * z.query, axis=-1), m)
        return MatrixLSTMCarry(C, u, m), h

    def over(
        self, ready: PyTree, carry: PyTree, xs: Array, run: Any
    ) -> tuple[PyTree, PyTree]:
        values, start = without_start(carry)
        restarts = start is not None and run.reset is not None
        in_order = run.method == "scan" or run.recording
        if in_order or restarts or len(xs) < 2:
            return run.scan(self, ready, carry, xs)
        size = math.ceil(len(xs) / math.ceil(len(xs) / self.chunk))
        return scan_chunks(
            functools.partial(_chunk, run.backwards),
            values,
            (run.project(self, ready, xs), *run.step_flags),
            size,
            reverse=run.backwards,
        )

    def hidden(self, carry: MatrixLSTMCarry) -> Array:
        return carry.memory

    def with_hidden(self, carry: MatrixLSTMCarry, hidden: Array) -> MatrixLSTMCarry:
        return carry._replace(memory=hidden)


def _output(o: Array, value: Array, normal: Array, m: Array) -> Array:
    """o * (C q) / max(|u . q|, 1), of all heads side by side.

    Args:
      o: the output gate, `[..., heads, d]`.
      value: C q / exp(m), `[..., heads, d]`.
      normal: u . q / exp(m), `[..., heads]`.
      m: `[..., heads]`.
    """
    # The fraction is reduced by exp(max(m, 0)), so that no exponential overflows; far
    # below the rounding of `normal`, the 1 is kept from vanishing.
    least = math.log(jnp.finfo(m.dtype).tiny) / 4
    scale, one = jnp.exp(jnp.minimum(m, 0)), jnp.exp(jnp.clip(-m, least, 0))
    scale = scale / jnp.maximum(jnp.abs(normal) * scale, one)
    h = o * value * scale[..., None]
    return h.reshape(*h.shape[:-2], -1)


def _chunk(
    backwards: bool, carry: MatrixLSTMCarry, inputs: Any
) -> tuple[MatrixLSTMCarry, Array]:
    """Some steps at once, with what the memory held before them.

    Args:
      backwards: from the last step to the first.
      carry: before these steps.
      inputs: a `_Read` of these steps, which are real, and where segments start.

    Returns:
      The carry after them, and their outputs.
    """
    in_order = lambda a: jnp.flip(a, 0) if backwards else a
    read, mask, reset = jax.tree.map(in_order, inputs)
    q, k, v, o, log_i, log_f = read
    if mask is not None:  # i = 0 and f = 1
        log_i = select(mask, log_i, jnp.full_like(log_i, -jnp.inf))
        log_f = zero_padding(mask, log_f)
    m, log_f, log_i = _stabilised(carry.stabiliser, log_i, log_f, reset)
    kept, written = _weights(log_f, log_i)
    scores = jnp.einsum("t...hk,s...hk->...hts", q, k) * written
    read_back = jnp.einsum("...hvk,t...hk->...htv", carry.memory, q)
    value = jnp.einsum("...hts,s...hv->...htv", scores, v) + kept[..., None] * read_back
    normal = jnp.einsum("...hk,t...hk->...ht", carry.normaliser, q) * kept
    normal += scores.sum(axis=-1)
    h = _output(o, jnp.moveaxis(value, -2, 0), jnp.moveaxis(normal, -1, 0), m)
    k = k * jnp.moveaxis(written[..., -1, :], -1, 0)[..., None]
    kept = kept[..., -1, None]
    C = kept[..., None] * carry.memory + jnp.einsum("s...hv,s...hk->...hvk", v, k)
    u = kept * carry.normaliser + k.sum(axis=0)
    return MatrixLSTMCarry(C, u, m[-1]), in_order(h)


def _stabilised(
    m: Array, log_i: Array, log_f: Array, reset: Array | None
) -> tuple[Array, Array, Array]:
    """m = max(log f + m', log i) of all steps, and the gates that go with it.

    Args:
      m: before the first step, `[..., heads]`.
      log_i: `[T, ..., heads]`.
      log_f: likewise.
      reset: where m' is 0 and the memory is lost.

    Returns:
      m; the logarithms of f exp(m' - m), -inf at resets, and of i exp(-m).
    """
    rise = log_i
    if reset is not None:
        rise = select(reset, jnp.maximum(log_i, log_f), log_i)
        log_f = select(reset, jnp.full_like(log_f, -jnp.inf), log_f)
    # m -> max(sum + m, rise), of one step after another, is of that form again.
    after = lambda a, b: (a[0] + b[0], jnp.maximum(a[1] + b[0], b[1]))
    sums, rises = jax.lax.associative_scan(after, (log_f, rise))
    following = jnp.maximum(sums + m, rises)
    before = jnp.concatenate([m[None], following[:-1]])
    return following, log_f + before - following, log_i - following


def _weights(log_f: Array, log_i: Array) -> tuple[Array, Array]:
    """What is left of the memory, and of what each step wrote, at every step.

    Args:
      log_f: what a step multiplies the memory with, `[T, ..., heads]`.
      log_i: what it multiplies with what it writes.

    Returns:
      Of the memory before the first step, `[..., heads, T]`; of what step s wrote, at
      step t, `[..., heads, t, s]`.
    """
    log_f, log_i = jnp.moveaxis(log_f, 0, -1), jnp.moveaxis(log_i, 0, -1)
    # What a gate shuts out is left out of the sums, whose differences it would blur.
    lost = log_f < math.log(jnp.finfo(log_f.dtype).tiny)
    segment = jnp.cumsum(lost, axis=-1, dtype=jnp.int32)
    total = jnp.cumsum(jnp.where(lost, 0, log_f), axis=-1)
    written = total[..., :, None] + (log_i - total)[..., None, :]
    alive = segment[..., :, None] == segment[..., None, :]
    alive &= jnp.tri(log_f.shape[-1], dtype=bool)
    exp_where = lambda flags, a: jnp.exp(jnp.where(flags, a, -jnp.inf))
    return exp_where(segment == 0, total), exp_where(alive, written)
