"""The step Jacobians themselves, of a few rows."""

import functools
from collections import OrderedDict

import jax
import jax.numpy as jnp

from jaxrnn import checks
from jaxrnn.cell import Cell
from jaxrnn.gradflow.observe import Observed, Place, Recurrence, observed, observing
from jaxrnn.gradflow.spectra import jacobian
from jaxrnn.gradflow.tapped import moving
from jaxrnn.typing import Array, Key, PyTree
from jaxrnn.unroll.arrange import Arrays, arrange
from jaxrnn.unroll.origin import Origin


def jacobians(
    cell: Cell,
    params: PyTree,
    xs: PyTree,
    carry: PyTree = None,
    *,
    rows: int = 1,
    lengths: Array | None = None,
    mask: Array | None = None,
    reset: Array | None = None,
    reverse: bool = False,
    key: Key | None = None,
    context: PyTree = None,
    time_axis: int = 0,
) -> dict[str, Array]:
    """The Jacobian of every step of every recurrence, dc_t/dc_{t-1}.

    c is the whole state of a recurrence, its fields side by side, n numbers; of a field
    of complex ones come the real parts and then the imaginary ones. At a padded step
    the Jacobian is the identity, where a segment begins 0.

    Args:
      cell: any cell.
      params: what `cell.init` returned.
      xs: inputs `[T, *batch, ...]`.
      carry: the state to start from; None: the cell's initial carry.
      rows: so many of the batch, the first ones.
      lengths, mask, reset, reverse, key, context, time_axis: as for `unroll`.

    Returns:
      For each recurrence by name `[T, rows, n, n]`, steps in the order in which they
      are taken; `[t, row, i, j]` is dc_t[i]/dc_{t-1}[j].

    Raises:
      ValueError, TypeError: for arguments that do not fit, by name.

    Example:
      >>> import jaxrnn as jr
      >>> cell = jr.Elman(4, activation="identity")
      >>> params = cell.init(jax.random.key(0), 3)
      >>> J = jr.gradflow.jacobians(cell, params, jnp.ones((7, 2, 3)))["Elman"]
      >>> J.shape, bool(jnp.allclose(J[0, 0].T, params["recurrent_kernel"]))
      ((7, 1, 4, 4), True)
    """
    checks.positive(rows=rows)
    sequence = arrange(
        cell, xs, lengths=lengths, mask=mask, reset=reset, time_axis=time_axis
    )
    origin = Origin(params, carry, key, 0, context)
    options = (cell, sequence.batch_shape, bool(reverse), rows)
    return _compiled(options, origin, sequence.arrays)


@functools.partial(jax.jit, static_argnums=0)
def _compiled(options: tuple, origin: Origin, arrays: Arrays) -> dict[str, Array]:
    cell, batch_shape, backwards, rows = options
    run = observing(batch_shape, origin, arrays, backwards)

    def model(run: Observed) -> PyTree:
        ready, carry = origin.begin(cell, arrays.xs, batch_shape)
        return run(cell, ready, carry, arrays.xs)[1]

    def of(place: Place, note: Recurrence) -> Array:
        every = note._replace(ready=None)
        at = lambda now: jacobian(place, now._replace(ready=note.ready), rows=rows)
        return jax.lax.map(at, every)

    _, places, notes, _ = observed(model, lambda ys: jnp.zeros(()), run)
    pairs = zip(places, notes, strict=True)
    return OrderedDict((p.name, of(p, n)) for p, n in pairs if moving(n.before))
