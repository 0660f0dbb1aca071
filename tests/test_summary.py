"""Summaries: counted by hand, drawn in full, and made without a parameter."""

import re

import jax
import jax.numpy as jnp
import pytest

import jaxrnn as jr
from jaxrnn.summary import summary


class Twice(jr.Cell):
    """Two cells of one kind that share their parameters, after an affine map."""

    cell: jr.Cell

    def layers(self, params, input_size=None):
        yield "first", self.cell, params["cell"], input_size
        yield "second", self.cell, params["cell"], self.cell.output_size(input_size)

    def init(self, key, input_size=None):
        return {
            "cell": self.cell.init(key, input_size),
            "scale": jnp.ones(input_size),
            "shift": jnp.ones(input_size),
        }

    def output_size(self, input_size):
        return self.cell.output_size(input_size)


class Wrapper(jr.Cell):
    """A cell whose parameters are those of the cell inside."""

    cell: jr.Cell

    def layers(self, params, input_size=None):
        yield "cell", self.cell, params, input_size

    def init(self, key, input_size=None):
        return self.cell.init(key, input_size)

    def output_size(self, input_size):
        return self.cell.output_size(input_size)


class Image(jr.Memoryless):
    """A layer with an output of two axes."""

    def init(self, key, input_size=None):
        return {"kernel": jnp.ones((input_size, 6), jnp.bfloat16)}

    def output_size(self, input_size):
        return (2, 3)


def test_the_table():
    model = jr.Stack(
        jr.Embed(65, 16),
        jr.Dropout(0.1),
        jr.Stack(jr.LSTM(128), jr.GRU(64, reset="after"), param_dtype="bfloat16"),
        jr.Dense(65),
    )
    lines = """
layer                                                  output  parameter         array                count
-----------------------------------------------------------------------------------------------------------
Stack                                                      65
  0  Embed(65, 16)                                         16  embedding         float32[65, 16]      1,040
  1  Dropout(0.1)                                          16
  2  Stack                                                 64
    0  LSTM(128, param_dtype='bfloat16')                  128  bias              bfloat16[512]          512
                                                               kernel            bfloat16[16, 512]    8,192
                                                               recurrent_kernel  bfloat16[128, 512]  65,536
    1  GRU(64, param_dtype='bfloat16', reset='after')      64  bias              bfloat16[192]          192
                                                               kernel            bfloat16[128, 192]  24,576
                                                               recurrent_bias    bfloat16[64]            64
                                                               recurrent_kernel  bfloat16[64, 192]   12,288
  3  Dense(65)                                             65  bias              float32[65]             65
                                                               kernel            float32[64, 65]      4,160
-----------------------------------------------------------------------------------------------------------
total  116,625 parameters, 238.1 KiB
"""  # noqa: E501
    assert str(summary(model)) == lines.strip("\n") == repr(summary(model))


def test_equals_the_parameters_that_init_makes():
    plain = jr.initializers.Normal()  # quick to draw
    gru = jr.GRU(4, kernel_init=plain, recurrent_init=plain)
    lstm = jr.LSTM(5, kernel_init=plain, recurrent_init=plain)
    model = jr.Stack(lstm, jr.Stack(gru, jr.Dense(2, kernel_init=plain)))
    params = model.init(jax.random.key(0), 3)
    got = summary(model, 3)
    leaves = jax.tree.leaves(params)
    assert got.count == sum(leaf.size for leaf in leaves)
    assert got.nbytes == sum(leaf.nbytes for leaf in leaves)
    shapes = lambda tree: {name: leaf.shape for name, leaf in tree.items()}
    layers = [params[0], params[1][0], params[1][1]]
    rows = [row for row in got.rows if not row.is_container]
    assert [shapes(row.params) for row in rows] == [shapes(own) for own in layers]
    assert [row.output_size for row in got.rows] == [2, 5, 2, 4, 2]
    assert [row.depth for row in got.rows] == [0, 1, 1, 2, 2]
    assert [row.name for row in got.rows] == ["", "0", "1", "0", "1"]


def test_a_container_with_parameters_of_its_own_and_shared_ones():
    got = summary(Twice(jr.Dense(3)), 3)
    outer, first, second = got.rows
    assert set(outer.params) == {"scale", "shift"}
    assert set(first.params) == set(second.params) == {"kernel", "bias"}
    assert [row.name for row in got.rows] == ["", "first", "second"]
    assert got.count == 3 * 3 + 3 + 3 + 3  # what is shared counts once


def test_a_container_whose_parameters_are_those_inside():
    got = summary(Wrapper(Wrapper(jr.Dense(3))), 4)
    assert [len(row.params) for row in got.rows] == [0, 0, 2]
    assert [row.depth for row in got.rows] == [0, 1, 2] and got.count == 4 * 3 + 3


def test_outputs_of_several_axes_and_no_parameters():
    lines = """
layer    output  parameter  array           count
-------------------------------------------------
Image()  (2, 3)  kernel     bfloat16[4, 6]     24
-------------------------------------------------
total  24 parameters, 48 B
"""
    assert str(summary(Image(), 4)) == lines.strip("\n")
    assert str(summary(jr.Dropout(0.5), 4)).endswith("\ntotal  0 parameters, 0 B")


@pytest.mark.parametrize(
    ("size", "total"),
    [
        (15, "240 parameters, 960 B"),
        (16, "272 parameters, 1.1 KiB"),
        (1000, "1,001,000 parameters, 3.8 MiB"),
        (40_000, "1,600,040,000 parameters, 6.0 GiB"),  # none is made
    ],
)
def test_totals(size, total):
    assert str(summary(jr.Dense(size), size)).splitlines()[-1] == f"total  {total}"


def test_bad_arguments():
    message = "`cell` must be a cell, got 'LSTM'"
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        summary("LSTM")
    message = "`input_size` of LSTM must be an integer of at least 1, got None"
    with pytest.raises(ValueError) as caught:  # JAX adds a note, which match would see
        summary(jr.LSTM(4))
    assert str(caught.value) == message
