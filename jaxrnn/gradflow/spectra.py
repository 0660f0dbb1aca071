"""The Jacobians of steps: how each stretches the state, and what their product does."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.activations import activation
from jaxrnn.gradflow.flat import apart, flat
from jaxrnn.gradflow.observe import Place, Recurrence
from jaxrnn.gradflow.steps import one_step
from jaxrnn.gradflow.tapped import moving, replaced
from jaxrnn.product import gate_dtype
from jaxrnn.typing import Array, PyTree
from jaxrnn.unroll.masks import spread


class Spectra(NamedTuple):
    """What the step Jacobians J_t = dc_t/dc_{t-1} of some rows are like.

    c_t is the whole state of the recurrence, n numbers; J_t is the identity at padded
    steps and 0 where a segment begins.

    Attributes:
      singular_values: `[T, rows, n]` of J_t, the largest first.
      radius: `[T, rows]`, the spectral radius of J_t.
      product: `[T, rows]`, log10 of ||dc_T/dc_t|| = ||J_T .. J_{t+1}||.
      bound: log10 of max|f'| ||U||, which no ||J_t|| exceeds, of a cell whose step is
        f(z + U c') and nothing else, or of a leaky one (1 - a) + a max|f'| ||U||; None:
        of other cells. Pascanu, Mikolov, Bengio 2013, section 2.1.
    """

    singular_values: Array
    radius: Array
    product: Array
    bound: Array | None


def spectra(place: Place, note: Recurrence, *, rows: int) -> Spectra:
    """The spectra of the first rows' Jacobians, none of which is kept.

    Args:
      place: which recurrence.
      note: what it did.
      rows: of the batch.
    """
    ready = note.ready

    def step(after: tuple[Array, Array], now: Recurrence) -> tuple:
        product, power = after  # dc_T/dc_t = product * 10^power
        J = jacobian(place, now._replace(ready=ready), rows=rows)
        norm = power + jnp.log10(_norm(product))
        unit, product = _scaled(product @ J)
        values = jnp.linalg.svd(J, compute_uv=False)
        return (product, power + jnp.log10(unit)), (values, spectral_radius(J), norm)

    batch = place.leading - 1
    state = flat([leaf[0] for leaf in moving(note.before)], batch)[:rows]
    identity = jnp.eye(state.shape[-1], dtype=state.dtype)
    start = jnp.broadcast_to(identity, (len(state), *identity.shape))
    begin = start, jnp.zeros(len(state), state.dtype)
    inputs = note._replace(ready=None)
    found: Any = jax.lax.scan(step, begin, inputs, reverse=True)[1]
    values, radius, product = found
    return Spectra(values, radius, product, bound(place, ready, len(identity)))


def _scaled(matrix: Array) -> tuple[Array, Array]:
    """`[..., n, n]` as a number and a matrix of about 1: products neither overflow nor
    vanish."""
    size = jnp.sqrt(jnp.sum(matrix**2, axis=(-2, -1)))
    unit = jnp.where((size > 0) & jnp.isfinite(size), size, 1)
    return unit, matrix / unit[..., None, None]


def jacobian(place: Place, note: Recurrence, *, rows: int) -> Array:
    """dc_t/dc_{t-1} of the first rows at one step: `[rows, n, n]`.

    Args:
      place: which recurrence.
      note: what it did at this step.
      rows: of the batch.
    """
    batch, leaves = place.leading - 1, moving(note.before)

    def step(leaves: list[Array]) -> list[Array]:
        before = replaced(note.before, leaves)
        return moving(one_step(place.cell, note.ready, before, note.xs, note.keys)[0])

    _, push = jax.linearize(step, leaves)
    state = flat(leaves, batch)
    everywhere = lambda direction: jnp.broadcast_to(direction, state.shape)
    column = lambda v: flat(push(apart(everywhere(v), leaves, batch)), batch)[:rows]
    identity = jnp.eye(state.shape[-1], dtype=state.dtype)
    J = jax.vmap(column, out_axes=-1)(identity)
    of_rows = lambda flags: spread(flags.reshape(-1)[:rows], J)
    if note.real is not None:
        J = jnp.where(of_rows(note.real), J, identity)
    return J if note.begins is None else jnp.where(of_rows(note.begins), 0, J)


def spectral_radius(matrix: Array, *, squarings: int = 16) -> Array:
    """The largest |eigenvalue| of `[..., n, n]`, by Gelfand's formula.

    ::

      rho(J) = lim ||J^m||^(1/m),   m = 1, 2, 4, 8, ..

    Repeated squaring runs on every device, and under jit; what is left out is less than
    1e-3 of rho, unless eigenvectors are nearly parallel.

    Args:
      matrix: any.
      squarings: log2 of the last m.

    Example:
      >>> round(float(spectral_radius(jnp.array([[0.5, 9.0], [0.0, -0.8]]))), 3)
      0.8
    """

    def square(state: tuple[Array, Array], weight: Array) -> tuple:
        power, log = state
        unit, power = _scaled(power)
        return (power @ power, log + weight * jnp.log(unit)), None

    weights = 0.5 ** jnp.arange(squarings + 1, dtype=matrix.dtype)
    start = matrix, jnp.zeros(matrix.shape[:-2], matrix.dtype)
    (power, log), _ = jax.lax.scan(square, start, weights)
    return jnp.where(jnp.any(power != 0, axis=(-2, -1)), jnp.exp(log), 0)


def _norm(matrix: Array) -> Array:
    """The spectral norm."""
    return jnp.linalg.svd(matrix, compute_uv=False)[..., 0]


def bound(place: Place, ready: PyTree, size: int) -> Array | None:
    """log10 of max|f'| ||U||, if U and f are all there is to the step."""
    plain = isinstance(ready, Mapping) and set(ready) == {
        "kernel",
        "recurrent_kernel",
        "bias",
    }
    f = getattr(place.cell, "activation", None)
    if not plain or f is None or ready["recurrent_kernel"].shape != (size, size):
        return None
    U = ready["recurrent_kernel"]
    U = U.astype(gate_dtype(U.dtype))
    points = jnp.linspace(-8, 8, 4097, dtype=U.dtype)  # 0, the steepest, is one
    steepest = jnp.max(jnp.abs(jax.vmap(jax.grad(activation(f)))(points)))
    leak = getattr(place.cell, "leak", 1.0)
    return jnp.log10((1 - leak) + leak * steepest * _norm(U))
