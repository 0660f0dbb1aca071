"""Which places of padded rows are real, where a loss has more than one kind of them."""

import jax.numpy as jnp
import numpy as np

from jaxrnn import checks
from jaxrnn.typing import Array, Shape


def real(name: str, lengths: Array | None, shape: Shape) -> Array:
    """`[N, *batch]`, True at the first `lengths` places of each row.

    Args:
      name: of the argument, for errors.
      lengths: `[*batch]`, integers in [0, N]; None: all are real. Values outside are an
        error; where they cannot be looked at (under jit) they are clipped.
      shape: `(N, *batch)`.

    Raises:
      TypeError: if `lengths` are not integers.
      ValueError: for another shape, or values outside [0, N].

    Example:
      >>> real("lengths", jnp.array([2, 0]), (3, 2)).astype(int).T.tolist()
      [[1, 1, 0], [0, 0, 0]]
    """
    if lengths is None:
        return jnp.ones(shape, bool)
    most, known = shape[0], checks.concrete(lengths)
    lengths = np.asarray(lengths) if known else lengths  # type: ignore[assignment]
    if not jnp.issubdtype(lengths.dtype, jnp.integer):
        raise TypeError(f"`{name}` must be integers, got {lengths.dtype}")
    if lengths.shape != shape[1:]:
        raise ValueError(
            f"`{name}` must have the batch's shape {shape[1:]}, got {lengths.shape}"
        )
    if known:
        wrong = lengths[(lengths < 0) | (lengths > most)]
        if wrong.size:
            raise ValueError(f"`{name}` must lie in [0, {most}], got {wrong[0]}")
    places = jnp.arange(most, dtype=jnp.int32).reshape(-1, *(1,) * lengths.ndim)
    return places < jnp.asarray(lengths, jnp.int32)
