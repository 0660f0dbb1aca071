"""With the sum before the activation as the state it is Elman in other variables."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from jaxrnn.activations import activation
from laws.harness import close

T, B, N, H = 6, 4, 3, 5
_rng = np.random.default_rng(0)
XS, C0 = _rng.normal(size=(T, B, N)), _rng.normal(size=(B, H))
MASK, RESET = (_rng.random((T, B)) < rate for rate in (0.7, 0.3))


def both(name):
    """The two cells, their parameters and f."""
    cells = (
        jr.PreactivationElman(H, activation=name, param_dtype="float64"),
        jr.Elman(H, activation=name, param_dtype="float64"),
    )
    return *cells, parameters(cells[0], N), activation(name)


def test_they_have_the_same_parameters():
    cell, elman, _, _ = both("tanh")
    shapes = [jax.tree.map(np.shape, parameters(c, N)) for c in (cell, elman)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    "name", ["tanh", "relu", "sigmoid", pytest.param(jnp.arctan, id="a_function")]
)
def test_it_gives_the_outputs_of_elman(name):
    cell, elman, params, f = both(name)
    carry, ys = jr.unroll(cell, params, XS, C0, mask=MASK)
    close((f(carry), ys), jr.unroll(elman, params, XS, f(C0), mask=MASK))


def test_where_f_of_nothing_is_nothing_they_begin_alike():
    cell, elman, params, f = both("tanh")
    flags = {"mask": MASK, "reset": RESET, "reverse": True}
    carry, ys = jr.unroll(cell, params, XS, **flags)
    close((f(carry), ys), jr.unroll(elman, params, XS, **flags))


def test_it_has_the_gradients_of_elman():
    cell, elman, params, f = both("tanh")
    weights = np.random.default_rng(1).normal(size=(T, B, H))

    def slopes(cell, start):
        total = lambda *given: jnp.sum(weights * jr.unroll(cell, *given, start)[1])
        return jax.jit(jax.grad(total, argnums=(0, 1)))(params, XS)

    close(slopes(cell, C0), slopes(elman, f(C0)))


@pytest.mark.parametrize("size", [0, -1])
def test_sizes_are_at_least_one(size):
    message = f"`hidden_size` must be at least 1, got {size}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        jr.PreactivationElman(size)


def test_activations_are_known():
    with pytest.raises(ValueError, match=r"^`activation` must be .*, got 'tahn'$"):
        jr.PreactivationElman(H, activation="tahn")


def test_a_function_without_a_name_does_not_travel():
    cell = jr.PreactivationElman(H, activation=lambda a: a)
    with pytest.raises(TypeError, match="top level"):
        cell.to_json()


@pytest.mark.parametrize("size", [None, 0, (3, 4), True])
def test_inputs_are_vectors(size):
    message = "`input_size` of PreactivationElman must be an integer of at least 1"
    with pytest.raises(ValueError, match=message):
        jr.PreactivationElman(H).init(jax.random.key(0), size)
