"""`jaxrnn convert`: a model of another framework becomes one of ours."""

import argparse
import importlib
import os
import warnings
import zipfile
from pathlib import Path
from typing import Any

import jax

from jaxrnn.cli.options import BadInput, blaming
from jaxrnn.files import arrays_in, save
from jaxrnn.interop import keras, torch


def run_convert(options: argparse.Namespace) -> int:
    """Read a foreign file and write ours.

    Args:
      options: what the parser returned.

    Returns:
      The exit status.
    """
    readers = {
        ".safetensors": _safetensors,
        **dict.fromkeys((".pt", ".pth", ".bin"), _pickled),
        ".keras": _keras,
        ".onnx": _onnx,
    }
    path = Path(options.file)
    if path.suffix not in readers:
        known = ", ".join(readers)
        raise BadInput(f"{path}: the name must end in one of {known}")
    _check_options(path, options)
    with blaming(str(path)):
        cell, params = readers[path.suffix](path, options)
    with blaming(options.out):
        save(options.out, cell, params)
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    print(f"{options.out}: {cell}, {count:,} parameters")
    return 0


def _check_options(path: Path, options: argparse.Namespace) -> None:
    """Raise for what cannot be done with such a file, before anything is read."""
    if not options.out:
        raise BadInput("OUT must be the name of a file, got ''")
    if os.path.exists(options.out) and path.exists() and path.samefile(options.out):
        raise BadInput(f"{options.out}: OUT is FILE, which stays: give it another name")
    if options.prefix and path.suffix in (".keras", ".onnx"):
        raise BadInput(f"{path}: --prefix is of a state_dict of torch")
    if options.sum_biases and path.suffix == ".onnx":
        raise BadInput(f"{path}: --sum-biases is of a model of torch or Keras")


def _safetensors(path: Path, options: argparse.Namespace) -> Any:
    return _torch(arrays_in(path.read_bytes()), options)


def _pickled(path: Path, options: argparse.Namespace) -> Any:
    framework = _peer("torch")
    try:
        with warnings.catch_warnings(action="ignore"):  # about versions of pickle
            weights = framework.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # whatever a pickle may break
        raise ValueError(
            "not a state_dict that torch loads without running code of the file's, or "
            "cut short or damaged"
        ) from error
    return _torch(weights, options)


def _torch(weights: Any, options: argparse.Namespace) -> Any:
    """A state_dict, or what of it stands under the prefix."""
    prefix = options.prefix
    if prefix and isinstance(weights, dict):
        under = {n: w for n, w in weights.items() if str(n).startswith(prefix)}
        if not under:
            names = ", ".join(map(str, weights))
            raise ValueError(f"no name begins with {prefix!r}; there are {names}")
        weights = {name.removeprefix(prefix): w for name, w in under.items()}
    return torch.read(weights, sum_biases=options.sum_biases)


def _keras(path: Path, options: argparse.Namespace) -> Any:
    with path.open("rb") as file:
        whole = zipfile.is_zipfile(file)
    if not whole or "config.json" not in zipfile.ZipFile(path).namelist():
        raise ValueError("no .keras file, or cut short or damaged")
    os.environ.setdefault("KERAS_BACKEND", "jax")
    framework = _peer("keras")
    try:
        model = framework.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever a damaged file may break
        raise ValueError(
            "not a model that Keras loads without running code of the file's, or "
            "damaged"
        ) from error
    return keras.read(model, sum_biases=options.sum_biases)


def _peer(name: str) -> Any:
    with blaming():
        try:
            return importlib.import_module(name)
        except ImportError as error:
            message = f"{error}: pip install 'jaxrnn[parity]'"
            raise ImportError(message) from error


def _onnx(path: Path, options: argparse.Namespace) -> Any:
    from jaxrnn.interop import onnx

    return onnx.read(path)
