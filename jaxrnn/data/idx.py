"""Arrays in the format idx, in which MNIST is kept."""

import gzip
import os
from pathlib import Path

import numpy as np

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Returns the array in an idx file.

    ::

      0, 0, dtype, number of axes                a byte each
      the size of each axis                      4 bytes each, the highest first
      the elements, the last axis running fastest

    Args:
      path: of the file, which gzip may have compressed, whatever its name.

    Returns:
      The array, in this machine's byte order.

    Raises:
      ValueError: it is no such file, or it is not whole.

    References:
      LeCun, Cortes, Burges: the MNIST database, "file formats".

    Example:
      >>> import tempfile
      >>> with tempfile.NamedTemporaryFile() as file:
      ...     _ = file.write(bytes([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 3, 5, 7, 255]))
      ...     file.flush()
      ...     read_idx(file.name)
      array([[  5,   7, 255]], dtype=uint8)
    """
    content = Path(path).read_bytes()
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError) as error:
            raise ValueError(f"`path` must be a whole gzip file: {path}") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _DTYPES:
        raise ValueError(f"`path` must be an idx file, got {content[:4]!r} in {path}")
    dtype, begin = np.dtype(_DTYPES[content[2]]), 4 + 4 * content[3]
    shape = np.frombuffer(content[4:begin], ">u4").tolist()
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if len(shape) != content[3] or len(content) - begin != size:
        raise ValueError(
            f"`path` must hold {size} bytes of elements for the shape {tuple(shape)}, "
            f"got {max(len(content) - begin, 0)} in {path}"
        )
    elements = np.frombuffer(content, dtype, offset=begin)
    return elements.reshape(shape).astype(dtype.newbyteorder("="))
