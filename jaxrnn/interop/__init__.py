"""Other people's formats and modules: weights and states in and out.

The module of each framework has `read`, `write`, `read_carry` and `write_carry`, and
`export` has `save`; README.md beside this file shows them.
"""

from jaxrnn.interop import equinox as equinox
from jaxrnn.interop import export as export
from jaxrnn.interop import flax as flax
from jaxrnn.interop import haiku as haiku
from jaxrnn.interop import keras as keras
from jaxrnn.interop import onnx as onnx
from jaxrnn.interop import torch as torch
from jaxrnn.interop.same import with_one_bias as with_one_bias
from jaxrnn.interop.same import with_two_biases as with_two_biases
