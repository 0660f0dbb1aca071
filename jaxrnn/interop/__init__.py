"""Other people's formats and modules: weights and states in and out.

The module of each framework has `read`, `write`, `read_carry` and `write_carry`, and
`export` has `save`; README.md beside this file shows them. Each is imported when it is
first asked for.
"""

from importlib import import_module as _import_module
from types import ModuleType as _ModuleType
from typing import TYPE_CHECKING

from jaxrnn.interop.same import with_one_bias as with_one_bias
from jaxrnn.interop.same import with_two_biases as with_two_biases

if TYPE_CHECKING:
    from jaxrnn.interop import equinox as equinox
    from jaxrnn.interop import export as export
    from jaxrnn.interop import flax as flax
    from jaxrnn.interop import haiku as haiku
    from jaxrnn.interop import keras as keras
    from jaxrnn.interop import onnx as onnx
    from jaxrnn.interop import torch as torch

_MODULES = ("equinox", "export", "flax", "haiku", "keras", "onnx", "torch")


def __getattr__(name: str) -> _ModuleType:
    if name in _MODULES:
        return _import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
