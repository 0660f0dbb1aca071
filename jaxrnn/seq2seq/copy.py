"""Symbols that are made up, or copied from the source."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.attention import Attend
from jaxrnn.attention.attend import Seen
from jaxrnn.cell import Cell
from jaxrnn.checks import kind
from jaxrnn.combine import Stack
from jaxrnn.initializers import Initializer, LecunNormal
from jaxrnn.product import affine
from jaxrnn.typing import Array, Key, PyTree, Shape, Size
from jaxrnn.wrapper import Wrapper


class Copy(Wrapper):
    """A pointer-generator: what is written may be copied from where the cell looks.

    ::

      g = s(W_g [y; c] + b_g)                              make up, rather than copy
      r[w] = sum of a_s over positions s with source_s = w
      p = g softmax(V [y; c] + b) + (1 - g) r              of each symbol w

    with the output y, the context vector c and the alignment a of an `Attend`. Where
    the alignment has less than one to give, as of a source of length 0, what is missing
    goes to the softmax. The output is log p, finite everywhere, so it serves as logits:
    for losses, `generate` and `beam_search`.

    The source comes as context, `context={"source": ...}`, ids `[*batch, S]` of the
    vocabulary that is written, each beside its position of the memory, as
    `EncoderDecoder` gives them; an id outside of it cannot be copied.

    Args:
      cell: an `Attend`, or a `Stack` that ends in one; its parameters are under `cell`.
      vocab_size: how many symbols; the parameters are `kernel` V `[y + c, vocab_size]`,
        `bias` b, `gate_kernel` W_g `[y + c, 1]` and `gate_bias` b_g.
      kernel_init: of V and W_g.

    References:
      See, Liu, Manning 2017, equations 4, 8 and 9, here with one layer before the
      softmax and without the input in the gate.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.Stack(jr.Embed(9, 3), jr.Attend(jr.GRU(4), memory_size=6))
      >>> model = jr.Copy(cell, 9)
      >>> params = model.init(jax.random.key(0))
      >>> context = {"memory": jnp.ones((2, 5, 6)), "source": jnp.ones((2, 5), int)}
      >>> ids = jnp.zeros((7, 2), int)
      >>> carry, log_p = jr.unroll(model, params, ids, context=context)
      >>> log_p.shape, bool(jnp.allclose(jnp.exp(log_p).sum(-1), 1))
      ((7, 2, 9), True)
    """

    vocab_size: int
    kernel_init: Initializer = LecunNormal()

    def __post_init__(self) -> None:
        object.__setattr__(self, "cell", _seeing(self.cell))
        super().__post_init__()

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        cell_key, kernel_key, gate_key = jax.random.split(key, 3)
        params = super().init(cell_key, input_size)
        rows, dtype = self._features(input_size), self.param_dtype or jnp.float32
        draw = lambda key, n: self.kernel_init(key, (rows, n), dtype)
        return params | {
            "kernel": draw(kernel_key, self.vocab_size),
            "bias": jnp.zeros(self.vocab_size, dtype),
            "gate_kernel": draw(gate_key, 1),
            "gate_bias": jnp.zeros(1, dtype),
        }

    def output_size(self, input_size: Size | None) -> Size:
        return self.vocab_size

    def prepare(
        self, params: PyTree, *, context: PyTree = None, **given: Any
    ) -> PyTree:
        if not isinstance(context, dict) or "source" not in context:
            raise ValueError("`Copy` needs a source: give `context={'source': ...}`")
        ready = super().prepare(params, context=context, **given)
        source = jnp.asarray(context["source"])
        if not jnp.issubdtype(source.dtype, jnp.integer):
            raise TypeError(f"`source` must be ids to copy, got {kind(source)}")
        return ready | {"source": source}

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> PyTree:
        carry = super().initial_carry(ready, batch_shape)
        _, last = _ending(self.cell, carry)
        if last.alignment.shape != ready["source"].shape:
            raise ValueError(
                "`source` must have one id for each position of the memory, "
                f"{last.alignment.shape}, got {ready['source'].shape}"
            )
        return carry

    def recur(self, ready: PyTree, carry: PyTree, z: PyTree) -> tuple[PyTree, Array]:
        carry, seen = super().recur(ready, carry, z)
        return carry, self._chosen(ready, self.cell.cast_output(seen))

    def over(
        self, ready: PyTree, carry: PyTree, xs: PyTree, run: Any
    ) -> tuple[PyTree, Array]:
        carry, seen = super().over(ready, carry, xs, run)
        return carry, self._chosen(ready, seen)

    def _chosen(self, ready: PyTree, seen: Seen) -> Array:
        """log p, of any number of steps."""
        x = jnp.concatenate([seen.output, seen.context], axis=-1)
        made_up = jax.nn.log_softmax(affine(x, ready["kernel"], ready["bias"]))
        gate = affine(x, ready["gate_kernel"], ready["gate_bias"])
        alignment = seen.alignment.astype(made_up.dtype)
        copied = gathered(alignment, ready["source"], self.vocab_size)
        missing = jnp.maximum(1 - copied.sum(axis=-1, keepdims=True), 0)
        keep, copy = jax.nn.log_sigmoid(gate), jax.nn.log_sigmoid(-gate)
        keep = jnp.logaddexp(keep, copy + _safe_log(missing))
        return jnp.logaddexp(keep + made_up, copy + _safe_log(copied))

    def _features(self, input_size: Size | None) -> int:
        """The size of an output and a context vector together."""
        attend, _ = _ending(self.cell)
        context = attend.attention.context_size(attend.memory_size)
        return self.cell.output_size(input_size) + context  # type: ignore[operator]


def gathered(alignment: Array, source: Array, vocab_size: int) -> Array:
    """The weight of each symbol: those of its positions together.

    Args:
      alignment: `[..., *batch, S]`.
      source: `[*batch, S]`, ids; those outside [0, vocab_size) are left out.
      vocab_size: V.

    Returns:
      `[..., *batch, V]`.

    Example:
      >>> gathered(jnp.array([0.5, 0.25, 0.25]), jnp.array([2, 0, 2]), 3).tolist()
      [0.25, 0.0, 0.75]
    """
    source = jnp.where(source < 0, vocab_size, source)
    add = lambda a, ids: jnp.zeros(vocab_size, a.dtype).at[ids].add(a, mode="drop")
    return jnp.vectorize(add, signature="(s),(s)->(v)")(alignment, source)


def _safe_log(x: Array) -> Array:
    """log x, and minus infinity without a gradient where x is zero."""
    some = x > 0
    return jnp.where(some, jnp.log(jnp.where(some, x, 1)), -jnp.inf)


def _ending(cell: Any, carry: PyTree = None) -> tuple[Any, Any]:
    """The `Attend` that a cell ends in, and its carry."""
    while isinstance(cell, Stack):
        cell, carry = cell.cells[-1], None if carry is None else carry[-1]
    return cell, carry


def _seeing(cell: Cell) -> Cell:
    """The cell, its `Attend` asked for everything."""
    if type(cell) is Stack:
        return cell.replace(cells=(*cell.cells[:-1], _seeing(cell.cells[-1])))
    if not isinstance(cell, Attend):
        raise ValueError(
            f"`Copy` needs an `Attend`, or a `Stack` that ends in one, got {cell}"
        )
    return cell if cell.everything else cell.replace(everything=True)
