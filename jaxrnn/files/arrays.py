"""The arrays of a safetensors file, whoever wrote it."""

from typing import Any

import numpy as np

# How safetensors calls the dtypes that both it and JAX know.
DTYPES = {"BOOL": "bool", "BF16": "bfloat16", "C64": "complex64"} | {
    f"{name[0].upper()}{bits}": f"{name}{bits}"
    for name in ("float", "int", "uint")
    for bits in (8, 16, 32, 64)
    if (name, bits) != ("float", 8)
}


def arrays_in(data: bytes) -> dict[str, np.ndarray]:
    """The arrays by their names.

    Args:
      data: all that is in the file.

    Raises:
      ValueError: if it is damaged, or holds a dtype that JAX has not.

    Example:
      >>> from safetensors.numpy import save
      >>> arrays_in(save({"w": np.ones((2, 1), "int8")}))["w"].tolist()
      [[1], [1]]
    """
    from safetensors import SafetensorError, deserialize

    try:
        entries = deserialize(data)
    except SafetensorError as error:
        message = "no safetensors file, or cut short or damaged"
        raise ValueError(message) from error
    return {name: _array(name, **entry) for name, entry in entries}


def _array(name: str, dtype: str, shape: Any, data: bytes) -> np.ndarray:
    if dtype not in DTYPES:
        raise ValueError(f"{name!r} is of the dtype {dtype}, which JAX has not")
    return np.frombuffer(data, DTYPES[dtype]).reshape(shape)
