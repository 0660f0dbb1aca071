"""The words of `jaxrnn convert`."""

from typing import Any


def add_convert(commands: Any) -> None:
    """Adds the command to those of the parser."""
    convert = commands.add_parser(
        "convert",
        help="read a model of torch, Keras or ONNX",
        description="Read the recurrent layers of another framework's file, and write "
        "them as `jaxrnn.load` reads them. Nothing in the file is run.",
    )
    convert.add_argument(
        "file",
        metavar="FILE",
        help="a state_dict of torch (.pt, .pth, .bin or .safetensors), a .keras model, "
        "an .onnx model",
    )
    convert.add_argument("out", metavar="OUT", help="safetensors file to write")
    convert.add_argument(
        "--prefix",
        default="",
        metavar="NAME.",
        help="of a state_dict, only what begins so: the recurrent part of a module",
    )
    convert.add_argument(
        "--sum-biases",
        action="store_true",
        help="hold one bias, the sum, where there are two",
    )
