"""The Jacobians of steps: how each stretches the state, and what their product does."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.activations import Activation, activation
from jaxrnn.cell import Cell
from jaxrnn.cells.elman import Elman
from jaxrnn.gradflow.flat import apart, flat
from jaxrnn.gradflow.observe import Place, Recurrence
from jaxrnn.gradflow.sizes import size
from jaxrnn.gradflow.steps import one_step
from jaxrnn.gradflow.tapped import moving, replaced
from jaxrnn.product import gate_dtype
from jaxrnn.typing import Array, PyTree
from jaxrnn.unroll.masks import spread


class Spectra(NamedTuple):
    """What the step Jacobians J_t = dc_t/dc_{t-1} of some rows are like.

    c_t is the whole state of the recurrence, n numbers, of which a complex one is two;
    J_t is the identity at padded steps and 0 where a segment begins.

    Attributes:
      singular_values: `[T, rows, n]` of J_t, the largest first.
      radius: `[T, rows]`, the spectral radius of J_t.
      product: `[T, rows]`, log10 of ||dc_T/dc_t|| = ||J_T .. J_{t+1}||.
      bound: log10 of max|f'| ||U||, which no ||J_t|| exceeds, of an `Elman`, whose step
        is f(z + U c'), or of a leaky one (1 - a) + a max|f'| ||U||; None: of other
        cells, with layer normalisation, and of f that works on more than one number or
        whose slope has no end. Pascanu, Mikolov, Bengio 2013, section 2.1.
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
        values, of_product = jnp.linalg.svd(jnp.stack([J, product]), compute_uv=False)
        norm = power + jnp.log10(of_product[..., 0])
        unit, product = _scaled(product @ J)
        return (product, power + jnp.log10(unit)), (values, spectral_radius(J), norm)

    batch = place.leading - 1
    state = flat([leaf[0] for leaf in moving(note.before)], batch)[:rows]
    identity = jnp.eye(state.shape[-1], dtype=state.dtype)
    start = jnp.broadcast_to(identity, (len(state), *identity.shape))
    begin = start, jnp.zeros(len(state), state.dtype)
    inputs = note._replace(ready=None)
    found: Any = jax.lax.scan(step, begin, inputs, reverse=True)[1]
    values, radius, product = found
    return Spectra(values, radius, product, bound(place.cell, ready))


def _scaled(matrix: Array) -> tuple[Array, Array]:
    """`[..., n, n]` as a number and a matrix of about 1: products neither overflow nor
    vanish."""
    norm = size(matrix, matrix.ndim - 2)
    unit = jnp.where((norm > 0) & jnp.isfinite(norm), norm, 1)
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


def bound(cell: Cell, ready: PyTree) -> Array | None:
    """log10 of max|f'| ||U||, if U and f are all there is to the step."""
    if type(cell) is not Elman or cell.layer_norm:
        return None
    U = ready["recurrent_kernel"]
    U = U.astype(gate_dtype(U.dtype))
    steepest = _steepest(cell.activation, U.dtype)
    if steepest is None:
        return None
    return jnp.log10((1 - cell.leak) + cell.leak * steepest * _norm(U))


def _steepest(f: Activation, dtype: Any) -> Array | None:
    """max|f'| from -100 to 100, if f works on each number alone, and its slope ends.

    The points are closer the nearer they lie to 0, which is one of them.
    """
    with jax.ensure_compile_time_eval():
        points = 100 * jnp.linspace(-1, 1, 20001, dtype=dtype) ** 3
        alone, together = points[:, None], points[None, :]
        push = lambda x: jax.jvp(activation(f), (x,), (jnp.ones_like(x),))
        (value, slope), joint = push(alone), activation(f)(together)
        if joint.shape != together.shape or not jnp.allclose(value, joint.T, rtol=1e-4):
            return None
        steep = jnp.abs(slope[:, 0])
        within = jnp.max(jnp.where(jnp.abs(points) < 50, steep, 0))
        steepest = jnp.max(steep)
        return steepest if steepest <= 1.001 * within else None
