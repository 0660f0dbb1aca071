"""The one matrix product, and who decides in which dtype things are computed."""

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxrnn.typing import Array, PyTree, Shape


def gate_dtype(*dtypes: DTypeLike) -> jnp.dtype:
    """The dtype of gates and carries: float64 for float64 parameters, else float32.

    Example:
      >>> gate_dtype(jnp.bfloat16)
      dtype('float32')
    """
    wide = any(jnp.finfo(dtype).bits == 64 for dtype in dtypes)
    return jnp.dtype(jnp.float64 if wide else jnp.float32)


def matmul(x: Array, kernel: Array) -> Array:
    """`x @ kernel` in the kernel's dtype, accumulated in the gates' dtype.

    Args:
      x: `[..., n]`, floating.
      kernel: `[n, m]`.

    Returns:
      `[..., m]`, float32 (float64 for a float64 kernel).

    Raises:
      TypeError: if `x` is not floating.
      ValueError: if the last axis of `x` is not `n`.

    Example:
      >>> matmul(jnp.ones((2, 3), jnp.bfloat16), jnp.ones((3, 4), jnp.bfloat16)).dtype
      dtype('float32')
    """
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        raise TypeError(
            f"`x` must be floating, got {x.dtype}: cast it with `x.astype(float)`, "
            "or give token ids to `Embed` or `OneHot`"
        )
    if x.ndim == 0 or x.shape[-1] != kernel.shape[0]:
        raise ValueError(
            f"`x` must have {kernel.shape[0]} features in its last axis, as the kernel "
            f"{list(kernel.shape)} has rows, got shape {x.shape}"
        )
    x, leading = x.astype(kernel.dtype), x.shape[:-1]
    if rows_are_one_axis():
        x = x.reshape(-1, x.shape[-1])
    out = jnp.matmul(x, kernel, preferred_element_type=gate_dtype(kernel.dtype))
    return out.reshape(*leading, kernel.shape[-1])


def rows_are_one_axis() -> bool:
    """Whether products take steps and rows as one axis: on a CPU they do.

    The kernel's gradient, a product over that axis, is then a plain matrix product too
    and takes a third of the time. Elsewhere it costs nothing as it is, and rows that
    are spread over devices stay where they are.
    """
    return jax.default_backend() == "cpu"


def affine(x: Array, kernel: Array, bias: Array) -> Array:
    """`x @ kernel + bias`, of any number of steps and rows at once.

    Args:
      x: `[..., n]`, floating.
      kernel: `[n, m]`.
      bias: `[m]`.

    Returns:
      `[..., m]`, in the dtype that `matmul` gives.

    Example:
      >>> affine(jnp.ones((2, 3)), jnp.ones((3, 1)), jnp.ones(1)).tolist()
      [[4.0], [4.0]]
    """
    return matmul(x, kernel) + bias


def cast(params: PyTree, dtype: DTypeLike | None) -> PyTree:
    """Parameters as a sequence computes with them.

    Matrices, which enter products, are cast to `dtype`; vectors (biases, peepholes,
    scales), which are added to what the products accumulated, to the gates' dtype.

    Args:
      params: a tree of arrays.
      dtype: the compute dtype, or None for the dtype that the parameters have.

    Example:
      >>> tree = {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)}
      >>> {name: str(leaf.dtype) for name, leaf in cast(tree, "bfloat16").items()}
      {'bias': 'float32', 'kernel': 'bfloat16'}
    """

    def one(leaf: Array) -> Array:
        if not jnp.issubdtype(leaf.dtype, jnp.inexact):
            return leaf
        compute = leaf.dtype if dtype is None else dtype
        return leaf.astype(compute if leaf.ndim >= 2 else gate_dtype(compute))

    return jax.tree.map(one, params)


def zeros(ready: PyTree, shape: Shape) -> Array:
    """Zeros in the gates' dtype of prepared parameters: what carries start from."""
    leaves = [
        a.dtype for a in jax.tree.leaves(ready) if jnp.issubdtype(a.dtype, jnp.inexact)
    ]
    return jnp.zeros(shape, gate_dtype(*leaves) if leaves else jnp.float32)
