"""A matrix product that holds its matrix both ways round.

A product's transpose multiplies by the transposed matrix. Inside a loop a CPU would
turn that matrix, or take it in strides, at every step: up to ten times slower than the
product itself. Turned once before the loop and held beside the matrix, both directions
of differentiation read along rows.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxrnn.product import rows_are_one_axis
from jaxrnn.typing import Array


def product(
    moving: Array, matrix: Array, turned: Array, *, axis: int, **options: Any
) -> Array:
    """`matrix @ moving`, or `moving @ matrix`; its transpose reads `turned`.

    ::

      axis >= 0:   out[n, ...] = sum_k matrix[n, k] moving[..., k, ...]
      axis == -1:  out[..., n] = sum_k moving[..., k] matrix[k, n]

    Args:
      moving: the operand that changes from step to step, floating.
      matrix: the one that does not, 2-D.
      turned: its transpose.
      axis: the axis of `moving` that is summed over. Columns come out with their
        features first, rows with their features last.
      **options: `precision` and `preferred_element_type` of `lax.dot_general`.

    Example:
      >>> matrix = jnp.array([[1.0, 2.0]])
      >>> product(jnp.ones((3, 2)), matrix.T, matrix, axis=-1).tolist()
      [[3.0], [3.0], [3.0]]
      >>> product(jnp.ones((2, 3)), matrix, matrix.T, axis=0).tolist()
      [[3.0, 3.0, 3.0]]
    """
    return product_p.bind(moving, matrix, turned, axis=axis, **options)


def by_matrix(matrix: Array, moving: Array, *, axis: int, **options: Any) -> Array:
    """The same product, stated so that the gradient of `matrix` is the fastest one.

    That is one product `dout @ moving` of all steps and rows: along the rows of its
    first operand, down the columns of its second.
    """
    flat = jnp.moveaxis(moving, axis, -1)
    leading = flat.shape[:-1]
    if rows_are_one_axis():
        flat = flat.reshape(-1, flat.shape[-1])
    sums = (((0 if axis == -1 else 1,), (flat.ndim - 1,)), ((), ()))
    out = lax.dot_general(matrix, flat, sums, **options)
    out = out.reshape(out.shape[0], *leading)
    return jnp.moveaxis(out, 0, -1) if axis == -1 else out


def _value(
    moving: Array, matrix: Array, turned: Array, *, axis: int, **options: Any
) -> Array:
    if axis == -1:
        sums = (((moving.ndim - 1,), (0,)), ((), ()))
        return lax.dot_general(moving, matrix, sums, **options)
    return lax.dot_general(matrix, moving, (((1,), (axis,)), ((), ())), **options)


def _jvp(primals: tuple, tangents: tuple, **params: Any) -> tuple[Array, Array]:
    (moving, matrix, turned), (dmoving, dmatrix, _) = primals, tangents
    out = product(moving, matrix, turned, **params)
    terms = []
    if not isinstance(dmoving, ad.Zero):
        terms.append(product(dmoving, matrix, turned, **params))
    if not isinstance(dmatrix, ad.Zero):  # `turned` is the same matrix: counted once
        terms.append(by_matrix(dmatrix, moving, **params))
    return out, sum(terms[1:], start=terms[0]) if terms else jnp.zeros_like(out)


def _transpose(
    dout: Array,
    moving: Array,
    matrix: Array,
    turned: Array,
    *,
    axis: int,
    **options: Any,
) -> tuple:
    if isinstance(dout, ad.Zero):
        return None, None, None
    back = product(dout, turned, matrix, axis=min(axis, 0), **options)
    back = back if axis == -1 else jnp.moveaxis(back, 0, axis)
    return back.astype(moving.aval.dtype), None, None


def _batch(args: tuple, dims: tuple, *, axis: int, **options: Any) -> tuple[Array, int]:
    (moving, matrix, turned), (dim, *held) = args, dims
    if any(d is not None for d in held):
        one = lambda a, m, t: _value(a, m, t, axis=axis, **options)
        return jax.vmap(one, in_axes=dims)(moving, matrix, turned), 0
    moving = jnp.moveaxis(moving, dim, 0)
    if axis == -1:
        return product(moving, matrix, turned, axis=-1, **options), 0
    return product(moving, matrix, turned, axis=axis + 1, **options), 1


def _shape(*args: Array, **params: Any) -> ShapedArray:
    out = jax.eval_shape(functools.partial(_value, **params), *args)
    return ShapedArray(out.shape, out.dtype)


product_p = Primitive("held_product")
product_p.def_impl(
    jax.jit(_value, static_argnames=("axis", "precision", "preferred_element_type"))
)
product_p.def_abstract_eval(_shape)
ad.primitive_jvps[product_p] = _jvp
ad.primitive_transposes[product_p] = _transpose
batching.primitive_batchers[product_p] = _batch
mlir.register_lowering(product_p, mlir.lower_fun(_value, multiple_results=False))
