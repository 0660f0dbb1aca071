"""`jaxrnn convert`: a model of another framework becomes one of ours."""

import argparse
import pickle
import warnings
from pathlib import Path
from typing import Any

import jax

from jaxrnn.cli.options import BadInput, blaming
from jaxrnn.files import save
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
    with blaming(str(path)):
        cell, params = readers[path.suffix](path, options)
    with blaming(options.out):
        save(options.out, cell, params)
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    print(f"{options.out}: {cell}, {count:,} parameters")
    return 0


def _safetensors(path: Path, options: argparse.Namespace) -> Any:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        weights = load(path.read_bytes())
    except SafetensorError as error:
        message = "no safetensors file, or cut short or damaged"
        raise ValueError(message) from error
    return _torch(weights, options)


def _pickled(path: Path, options: argparse.Namespace) -> Any:
    with blaming():
        import torch as framework
    try:
        with warnings.catch_warnings(action="ignore"):  # about versions of pickle
            weights = framework.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, AttributeError) as error:
        raise ValueError(
            "not a state_dict that torch loads without running code of the file's: "
            f"{str(error).strip().splitlines()[0]}"
        ) from error
    return _torch(weights, options)


def _torch(weights: Any, options: argparse.Namespace) -> Any:
    """A state_dict, or what of it stands under the prefix."""
    prefix = options.prefix
    if prefix and isinstance(weights, dict):
        under = {name: w for name, w in weights.items() if name.startswith(prefix)}
        if not under:
            names = ", ".join(weights)
            raise ValueError(f"no name begins with {prefix!r}; there are {names}")
        weights = {name.removeprefix(prefix): w for name, w in under.items()}
    return torch.read(weights, sum_biases=options.sum_biases)


def _keras(path: Path, options: argparse.Namespace) -> Any:
    import keras as framework

    model = framework.saving.load_model(path, compile=False, safe_mode=True)
    return keras.read(model, sum_biases=options.sum_biases)


def _onnx(path: Path, options: argparse.Namespace) -> Any:
    from jaxrnn.interop import onnx

    return onnx.read(path)
