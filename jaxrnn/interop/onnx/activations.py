"""The activation functions of ONNX's recurrent operators, and ours."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxrnn.activations import (
    Activation,
    Affine,
    Clipped,
    Elu,
    HardSigmoid,
    LeakyRelu,
    ScaledTanh,
    ThresholdedRelu,
    activation,
)

# Without parameters.
_PLAIN: dict[str, str] = {
    "Relu": "relu",
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
    "Softsign": "soft_sign",
    "Softplus": "softplus",
}
# With them; those without defaults must be stated.
_PARAMETRIC: dict[str, type] = {
    cls.__name__: cls
    for cls in (Affine, LeakyRelu, ThresholdedRelu, ScaledTanh, HardSigmoid, Elu)
}
_KNOWN_BY_NAME: dict[str, Activation] = {
    "identity": Affine(1.0, 0.0),
    "leaky_relu": LeakyRelu(0.01),
    "elu": Elu(1.0),
    "hard_sigmoid": HardSigmoid(1 / 6, 0.5),
}


class Functions(NamedTuple):
    """What the attributes of an operator say of its functions.

    Attributes:
      activations: names.
      activation_alpha: of those functions that have an alpha, in order.
      activation_beta: of those that have a beta.
      clip: what they are given is first brought into [-clip, clip]; None: it is not.
    """

    activations: Sequence[str]
    activation_alpha: Sequence[float] = ()
    activation_beta: Sequence[float] = ()
    clip: float | None = None


def to_ours(given: Functions) -> list[Activation]:
    """The functions as our cells take them, without `clip`.

    Raises:
      ValueError: for an unknown name, or more or fewer parameters than functions take.

    Example:
      >>> to_ours(Functions(["HardSigmoid", "Tanh"], [0.25]))
      [HardSigmoid(alpha=0.25), 'tanh']
    """
    left = {"alpha": list(given.activation_alpha), "beta": list(given.activation_beta)}
    functions = [_one(name, left) for name in given.activations]
    for name, values in left.items():
        if values:
            raise ValueError(
                f"`activation_{name}` holds {len(values)} values more than "
                f"{', '.join(given.activations)} take"
            )
    return functions


def _one(name: str, left: dict[str, list[float]]) -> Activation:
    if name in _PLAIN:
        return _PLAIN[name]
    if name not in _PARAMETRIC:
        known = ", ".join([*_PLAIN, *_PARAMETRIC])
        raise ValueError(f"`activations` must be of {known}, got {name!r}")
    cls, stated = _PARAMETRIC[name], {}
    for field in dataclasses.fields(cls):
        if left[field.name]:
            stated[field.name] = as_written(left[field.name].pop(0))
        elif field.default is dataclasses.MISSING:
            raise ValueError(f"`activation_{field.name}` of {name} must be stated")
    function = cls(**stated)
    same = [n for n, s in _KNOWN_BY_NAME.items() if _narrow(s) == _narrow(function)]
    return same[0] if same else function


def _narrow(function: Any) -> Any:
    """With the parameters that an attribute, of float32, would give back."""
    numbers = dataclasses.asdict(function)
    return type(function)(**{name: as_written(x) for name, x in numbers.items()})


def as_written(value: float) -> float:
    """The decimal number that was rounded to float32 for an attribute.

    Example:
      >>> as_written(float(np.float32(0.2)))
      0.2
    """
    return float(str(np.float32(value)))


def to_onnx(functions: Sequence[Activation]) -> Functions:
    """The inverse of `to_ours`.

    Raises:
      ValueError: for a function that ONNX's recurrent operators do not know.

    Example:
      >>> to_onnx(["tanh", "identity"])
      Functions(activations=['Tanh', 'Affine'], activation_alpha=[1.0], ...)
    """
    names, alpha, beta = [], [], []
    for function in functions:
        found = _counterpart(function)
        if found is None:
            known = ", ".join([*_PLAIN.values(), *_KNOWN_BY_NAME, *_PARAMETRIC])
            raise ValueError(
                f"ONNX's recurrent operators have no counterpart of {function!r}; they "
                f"know {known}"
            )
        name, parameters = found
        names.append(name)
        alpha += [parameters["alpha"]] if "alpha" in parameters else []
        beta += [parameters["beta"]] if "beta" in parameters else []
    return Functions(names, alpha, beta)


def _counterpart(function: Activation) -> tuple[str, dict[str, float]] | None:
    """The name in ONNX and the parameters of a function; None: there is none."""
    for name, ours in _PLAIN.items():
        if function == ours or function is activation(ours):
            return name, {}
    for ours, spec in _KNOWN_BY_NAME.items():
        if function == ours or function is activation(ours):
            function = spec
    name = type(function).__name__
    if _PARAMETRIC.get(name) is not type(function):
        return None
    return name, dataclasses.asdict(function)  # type: ignore[call-overload]


def clipped(functions: Sequence[Activation], limit: float | None) -> list[Activation]:
    """The functions of clipped sums.

    Example:
      >>> clipped(["sigmoid"], 3.0)
      [Clipped('sigmoid', 3.0)]
    """
    if limit is None:
        return list(functions)
    return [Clipped(function, limit) for function in functions]


def unclipped(
    functions: Sequence[Activation],
) -> tuple[list[Activation], float | None]:
    """The functions inside, and the limit that all of them have.

    Raises:
      ValueError: if they have not one limit.

    Example:
      >>> unclipped([Clipped("sigmoid", 3.0), Clipped("tanh", 3.0)])
      (['sigmoid', 'tanh'], 3.0)
    """
    limits = {f.limit if isinstance(f, Clipped) else None for f in functions}
    if len(limits) > 1:
        raise ValueError(
            f"ONNX clips by one number what all gates are given, got {list(functions)}"
        )
    inside = [f.function if isinstance(f, Clipped) else f for f in functions]
    return inside, limits.pop()


def is_odd(function: Activation) -> bool:
    """Whether 1 - f(a) = f(-a), so that a gate turned round is a gate too.

    Example:
      >>> is_odd("sigmoid"), is_odd(Clipped(HardSigmoid(0.3, 0.5), 2.0)), is_odd("relu")
      (True, True, False)
    """
    if isinstance(function, Clipped):
        return is_odd(function.function)
    name, parameters = _counterpart(function) or ("", {})
    return name == "Sigmoid" or (name == "HardSigmoid" and parameters["beta"] == 0.5)


def as_operator(function: Activation) -> tuple[str, dict[str, Any]] | None:
    """The operator that is this function alone, with its attributes; None: no such.

    Example:
      >>> as_operator("relu"), as_operator("softmax")
      (('Relu', {}), ('Softmax', {'axis': -1}))
    """
    for name, ours in OF_ROWS.items():
        if function == ours or function is activation(ours):
            return name, {"axis": -1}
    found = _counterpart(function)
    return None if found is None or found[0] in _NO_OPERATORS else found


OF_ROWS = {"Softmax": "softmax", "LogSoftmax": "log_softmax"}
_NO_OPERATORS = ("Affine", "ScaledTanh")


def operators() -> Iterator[str]:
    """The names of operators that apply a function to each number."""
    yield from (n for n in (*_PLAIN, *_PARAMETRIC) if n not in _NO_OPERATORS)
