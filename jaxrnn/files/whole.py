"""What makes a file trustworthy: written as a whole, and known if it was changed."""

import contextlib
import errno
import importlib.metadata
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FORMAT = 1


def write(path: str | os.PathLike, data: bytes) -> None:
    """Writes a file so that a reader finds the old or the new one, never a part.

    Args:
      path: of the file; what a link leads to is written, and the link stays.
      data: its new content.

    Raises:
      OSError: if it cannot be written, or is there and no file, but a folder or a
        device; the old one stays.
    """
    named, path = os.fspath(path), Path(os.path.realpath(path))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "Is a directory", named)
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "Is no regular file", named)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with _blaming(named), open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


@contextlib.contextmanager
def _blaming(path: str | bytes) -> Iterator[None]:
    """Errors tell the file that the user named, not the one that is written first."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error


def sealed(header: dict[str, Any]) -> str:
    """A header as JSON, with the number of its format and a checksum.

    Example:
      >>> unsealed(sealed({"name": "x"}), "a file")["name"]
      'x'
    """
    header = {"format": FORMAT, "jaxrnn": importlib.metadata.version("jaxrnn")} | header
    return json.dumps(header | {"crc32": zlib.crc32(json.dumps(header).encode())})


def unsealed(text: str | bytes, path: str | os.PathLike) -> dict[str, Any]:
    """The header that `sealed` wrote.

    Args:
      text: the JSON.
      path: where it stood, for the message.

    Raises:
      ValueError: if it is damaged, or of a newer format.
    """
    try:
        header = json.loads(text)
        if header["format"] > FORMAT:
            raise ValueError(
                f"{path} has format {header['format']}, but this jaxrnn reads up to "
                f"{FORMAT}: load it with a newer one"
            )
        if header.pop("crc32") == zlib.crc32(json.dumps(header).encode()):
            return header
    except (AttributeError, KeyError, TypeError, UnicodeError, json.JSONDecodeError):
        pass
    raise ValueError(f"{path} is damaged: its header is not as it was written")


def differences(expected: dict[str, str], got: dict[str, str]) -> str:
    """The names whose kinds differ, each on a line of its own; "" if none does.

    Example:
      >>> print(differences({"a": "int8[]", "b": "int8[2]"}, {"a": "int8[]"}))
      <BLANKLINE>
        b: expected int8[2], got nothing
    """
    return "".join(
        f"\n  {name}: expected {expected.get(name, 'nothing')}, "
        f"got {got.get(name, 'nothing')}"
        for name in expected | got
        if expected.get(name) != got.get(name)
    )
