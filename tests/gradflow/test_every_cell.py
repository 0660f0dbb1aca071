"""One look at every cell and combinator: in words, as a picture, and consistent."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from drawn import parameters
from jaxrnn.gradflow import measure
from laws.rows import ROWS, vectors

T, B = 7, 8
LENGTHS = np.array([7, 3, 0, 1, 6, 7, 2, 5])


def loss(ys):
    floats = [a for a in jax.tree.leaves(ys) if jnp.issubdtype(a.dtype, jnp.floating)]
    sums = [jnp.sum(jnp.sin(a), dtype=jnp.float64) for a in floats]
    return sum(sums, jnp.zeros(()))


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_look_at(row):
    rng, cell = np.random.default_rng(0), row.cell
    size = row.input_size if isinstance(row.input_size, tuple) else (row.input_size,)
    xs = (row.inputs or vectors(*size))(rng, (T, B))
    context = None if row.context is None else row.context(rng, (B,))
    params = parameters(cell, row.input_size)
    flow = measure(cell, params, xs, loss, lengths=LENGTHS, context=context)
    words, figure = flow.verdict(), flow.plot()
    assert figure.get_suptitle().replace("\n", " ") == words.replace("\n", " ")
    for name, layer in flow.layers.items():
        assert name in words
        if not layer.norms or not np.any(layer.output):
            continue
        assert layer.distances.reach[0] == 1
        for weight, norm in layer.weights.items():
            if norm > 0:
                share = np.sum(layer.distances.shares[weight], dtype=np.float64)
                assert share == pytest.approx(1, abs=1e-4), weight
