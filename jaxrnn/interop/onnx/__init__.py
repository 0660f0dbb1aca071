"""ONNX: other people's recurrent models, and ours for other people's runtimes."""

from jaxrnn.interop.onnx.carry import read_carry as read_carry
from jaxrnn.interop.onnx.carry import write_carry as write_carry
from jaxrnn.interop.onnx.read import read as read
from jaxrnn.interop.onnx.write import write as write
