"""Flax, linen and nnx: weights in and out, and modules both ways."""

from jaxrnn.interop.flax.as_cell import as_cell as as_cell
from jaxrnn.interop.flax.linen import linen_module as linen_module
from jaxrnn.interop.flax.nnx import nnx_module as nnx_module
from jaxrnn.interop.flax.weights import read as read
from jaxrnn.interop.flax.weights import read_carry as read_carry
from jaxrnn.interop.flax.weights import write as write
from jaxrnn.interop.flax.weights import write_carry as write_carry
