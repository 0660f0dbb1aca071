"""A user's own cell that breaks the contract is told so, in the contract's words."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from jaxrnn.product import matmul, zeros

T, B, N, H = 7, 4, 3, 5
XS = np.random.default_rng(0).normal(size=(T, B, N)).astype(np.float32)


class Pair(NamedTuple):
    hidden: jax.Array
    slow: jax.Array


class Sound(jr.Cell):
    """A sound cell, whose methods the cells below replace with broken ones."""

    hidden_size: int

    def init(self, key, input_size=None):
        return {"kernel": jnp.ones((input_size, self.hidden_size), jnp.float32)}

    def initial_carry(self, ready, batch_shape):
        start = zeros(ready, (*batch_shape, self.hidden_size))
        return Pair(start, start)

    def project(self, ready, x, *, key=None):
        return matmul(x, ready["kernel"])

    def recur(self, ready, carry, z):
        h = jnp.tanh(z + carry.hidden)
        return Pair(h, carry.slow + h), h


CARRY_RULE = (
    "`recur` of Broken(5) must return a carry like the one it got, of the same tree, "
    "shapes and dtypes; "
)
PAIR_RULE = "`recur` of Broken(5) must return a pair (carry, output), got "
START_RULE = (
    "`initial_carry` of Broken(5) must give leaves that start with the batch axes "
    "(4,); "
)
Z_RULE = "`project` of Broken(5) must keep the leading axes of its input, here "

BROKEN = {
    "carry_of_another_shape": (
        {"recur": lambda self, ready, c, z: (Pair(c.hidden, c.slow[:, :2]), z)},
        ValueError(
            CARRY_RULE + "at carry.slow expected float32[4, 5], got float32[4, 2]"
        ),
    ),
    "carry_of_another_dtype": (
        {"recur": lambda self, ready, c, z: (Pair(c.hidden, c.slow > 0), z)},
        ValueError(CARRY_RULE + "at carry.slow expected float32[4, 5], got bool[4, 5]"),
    ),
    "carry_that_is_a_number": (
        {"recur": lambda self, ready, c, z: (Pair(c.hidden, 0.0), z)},
        ValueError(CARRY_RULE + "at carry.slow expected float32[4, 5], got float"),
    ),
    "carry_of_another_tree": (
        {"recur": lambda self, ready, c, z: (c.hidden, z)},
        ValueError(
            CARRY_RULE + "expected the leaves carry.hidden, carry.slow, got carry"
        ),
    ),
    "carry_and_output_swapped": (
        {"recur": lambda self, ready, c, z: (z, c)},
        ValueError(
            CARRY_RULE + "expected the leaves carry.hidden, carry.slow, got carry"
        ),
    ),
    "carry_without_a_leaf": (
        {"recur": lambda self, ready, c, z: (Pair(c.hidden, None), z)},
        ValueError(
            CARRY_RULE
            + "expected the leaves carry.hidden, carry.slow, got carry.hidden"
        ),
    ),
    "output_alone": (
        {"recur": lambda self, ready, c, z: z},
        TypeError(PAIR_RULE + "float32[4, 5]"),
    ),
    "nothing": (
        {"recur": lambda self, ready, c, z: None},
        TypeError(PAIR_RULE + "NoneType"),
    ),
    "three_things": (
        {"recur": lambda self, ready, c, z: (c, z, z)},
        TypeError(PAIR_RULE + "tuple"),
    ),
    "output_without_the_batch_axis": (
        {"recur": lambda self, ready, c, z: (c, z[0])},
        ValueError(
            "`recur` of Broken(5) must return an output whose leaves start with the "
            "batch axes (4,); y has shape (5,)"
        ),
    ),
    "initial_carry_without_the_batch_axis": (
        {"initial_carry": lambda self, ready, b: Pair(jnp.zeros((4, 5)), jnp.zeros(5))},
        ValueError(START_RULE + "carry.slow has shape (5,)"),
    ),
    "initial_carry_with_the_batch_axis_last": (
        {"initial_carry": lambda self, ready, b: Pair(*[jnp.zeros((5, *b))] * 2)},
        ValueError(START_RULE + "carry.hidden has shape (5, 4)"),
    ),
    "z_without_the_time_axis": (
        {"project": lambda self, ready, x, *, key=None: x[0]},
        ValueError(Z_RULE + "(T, *batch) = (7, 4); z has shape (4, 3)"),
    ),
    "z_without_the_batch_axis": (
        {"project": lambda self, ready, x, *, key=None: {"sum": x.sum(1)}},
        ValueError(Z_RULE + "(T, *batch) = (7, 4); z['sum'] has shape (7, 3)"),
    ),
}


@pytest.mark.parametrize("methods, error", BROKEN.values(), ids=BROKEN)
def test_a_broken_cell_is_told_the_contract(methods, error):
    params = Sound(H).init(jax.random.key(0), N)
    assert jr.unroll(Sound(H), params, XS)[1].shape == (T, B, H)
    with pytest.raises(type(error)) as raised:
        jr.unroll(type("Broken", (Sound,), methods)(H), params, XS)
    assert str(raised.value) == str(error)


def test_a_broken_cell_in_a_stack_is_named_with_its_place():
    class Swapped(Sound):
        def recur(self, ready, carry, z):
            return z, carry

    model = jr.Stack(jr.Dense(N), Swapped(H))
    params = ({"kernel": jnp.eye(N), "bias": jnp.zeros(N)}, Sound(H).init(None, N))
    with pytest.raises(
        ValueError, match=r"^layer 1 of Stack, Swapped\(5\): `recur` of"
    ):
        jr.unroll(model, jax.tree.map(jnp.float32, params), XS)


def test_a_cell_without_init_is_told():
    class NoInit(jr.Cell):
        hidden_size: int

    with pytest.raises(NotImplementedError) as raised:
        NoInit(H).init(jax.random.key(0), N)
    assert str(raised.value) == "NoInit must define `init`"


def test_a_cell_without_recur_is_told():
    class NoRecur(jr.Cell):
        hidden_size: int

    with pytest.raises(NotImplementedError) as raised:
        jr.unroll(NoRecur(H), {}, XS)
    assert str(raised.value) == "NoRecur must define `recur`"


def test_a_cell_without_an_initial_carry_is_told():
    class NoCarry(jr.Cell):
        def recur(self, ready, carry, z):
            return carry, z

    with pytest.raises(NotImplementedError) as raised:
        jr.unroll(NoCarry(), {}, XS)
    expected = "NoCarry must define `initial_carry`, or have a field `hidden_size`"
    assert str(raised.value) == expected
