"""Frozen descriptions: what hashes, compares, prints and travels by value."""

import dataclasses
import sys
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, dataclass_transform

import jax
import jax.numpy as jnp

_TYPES: dict[str, type["Spec"]] = {}


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
class Spec:
    """A frozen dataclass of static values: numbers, names, functions, other specs.

    It holds no array, so it is a legal static argument of `jax.jit`; it prints as the
    call that makes it; and `to_json` / `from_json` carry it to a file and back.
    Subclasses need no decorator: being a `Spec` makes them frozen dataclasses.

    Example:
      >>> class Scale(Spec):
      ...     factor: float
      ...     name: str = "plain"
      >>> Scale(2.0)
      Scale(2.0)
      >>> Spec.from_json(Scale(2.0, name="other").to_json())
      Scale(2.0, name='other')
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own_init = "__init__" not in cls.__dict__
        dataclasses.dataclass(frozen=True, repr=False, init=own_init)(cls)
        _TYPES[_type_name(cls)] = cls

    _rest: ClassVar[str | None] = None  # the field that takes all positional arguments

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            try:
                hash(value)
            except TypeError:
                raise TypeError(
                    f"`{field.name}` of {type(self).__name__} must be a static value "
                    "(a number, a name, a tuple, a function, a cell), "
                    f"got {type(value).__name__}"
                ) from None

    def _call(self, *, every: bool) -> tuple[list[Any], dict[str, Any]]:
        """The positional and keyword arguments of the call that makes `self`."""
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.name == self._rest:
                args.extend(value)
            elif field.default is dataclasses.MISSING and not field.kw_only:
                args.append(value)
            elif every or value != field.default:
                kwargs[field.name] = value
        return args, kwargs

    def __repr__(self) -> str:
        args, kwargs = self._call(every=False)
        shown = [_show(a) for a in args] + [
            f"{k}={_show(v)}" for k, v in kwargs.items()
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def replace(self, **changes: Any) -> Any:
        """A copy with some fields changed."""
        args, kwargs = self._call(every=True)
        names = [f.name for f in dataclasses.fields(self) if f.name not in kwargs]  # type: ignore[arg-type]
        if self._rest is None:
            kwargs |= dict(zip(names, args, strict=True))
            args = []
        elif self._rest in changes:
            args = list(changes.pop(self._rest))
        return type(self)(*args, **(kwargs | changes))

    def to_json(self) -> dict[str, Any]:
        """The call that makes `self`, every field stated, as JSON's own types."""
        args, kwargs = self._call(every=True)
        return {
            "type": _type_name(type(self)),
            "args": [_encode(a) for a in args],
            "kwargs": {k: _encode(v) for k, v in kwargs.items()},
        }

    @staticmethod
    def from_json(data: Any, *, known: Iterable[Callable[..., Any]] = ()) -> Any:
        """The spec that `to_json` described.

        Args:
          data: what `to_json` returned.
          known: functions of your own that fields refer to; a file can name only
            these and the functions of `jax.nn` and `jax.numpy`, so loading one
            never imports or calls anything else.

        Raises:
          ValueError: for a type or function that is not known.
        """
        return _decode(data, {_function_name(f): f for f in known})


def _type_name(cls: type) -> str:
    own = cls.__module__.partition(".")[0] == "jaxrnn"
    return cls.__name__ if own else f"{cls.__module__}:{cls.__qualname__}"


def _function_name(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", "")
    for prefix, module in (("jax.nn", jax.nn), ("jax.numpy", jnp)):
        if getattr(module, name, None) is function:
            return f"{prefix}:{name}"
    return f"{function.__module__}:{function.__qualname__}"


def _show(value: Any) -> str:
    return (
        _function_name(value).partition(":")[2] if _is_function(value) else repr(value)
    )


def _is_function(value: Any) -> bool:
    named = callable(value) and hasattr(value, "__qualname__")
    return named and not isinstance(value, (Spec, type))


def _encode(value: Any) -> Any:
    if isinstance(value, Spec):
        return value.to_json()
    if isinstance(value, tuple):
        return {"tuple": [_encode(v) for v in value]}
    if _is_function(value):
        name = _function_name(value)
        if "<" in name:
            raise TypeError(
                f"a function in a cell that is to be saved must stand at the top level "
                f"of a module, so that it has a name; got {name.partition(':')[2]}"
            )
        return {"function": name}
    if callable(value):
        raise TypeError(f"a cell with {value!r} cannot be saved: it has no name")
    return value


def _decode(data: Any, known: dict[str, Callable[..., Any]]) -> Any:
    if not isinstance(data, dict):
        return data
    if "tuple" in data:
        return tuple(_decode(v, known) for v in data["tuple"])
    if "function" in data:
        return _known_function(data["function"], known)
    if data.get("type") not in _TYPES:
        raise ValueError(
            f"unknown type {data.get('type')!r}: import the module that defines it "
            "before loading, or load with a newer jaxrnn"
        )
    args = [_decode(v, known) for v in data.get("args", ())]
    kwargs = {k: _decode(v, known) for k, v in data.get("kwargs", {}).items()}
    return _TYPES[data["type"]](*args, **kwargs)


def _known_function(name: str, known: dict[str, Callable[..., Any]]) -> Any:
    module, _, attribute = name.partition(":")
    if module in ("jax.nn", "jax.numpy") and hasattr(
        getattr(jax, module[4:]), attribute
    ):
        return getattr(getattr(jax, module[4:]), attribute)
    if module.startswith("jaxrnn.") and hasattr(sys.modules.get(module), attribute):
        return getattr(sys.modules[module], attribute)
    if name not in known:
        raise ValueError(f"unknown function {name!r}: pass it in `known`")
    return known[name]
