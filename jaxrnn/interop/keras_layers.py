"""What Keras' layers are among the cells."""

from typing import Any

from jaxrnn.cell import Cell
from jaxrnn.cells import GRU, LSTM, Dense, Dropout, Elman, Embed, Map
from jaxrnn.combine import Bidirectional

_RECURRENT: dict[str, Any] = {"LSTM": LSTM, "GRU": GRU, "SimpleRNN": Elman}
_FUNCTIONS = {
    "tanh": "tanh",
    "relu": "relu",
    "sigmoid": "sigmoid",
    "linear": "identity",
}
_GATES = _FUNCTIONS | {"hard_sigmoid": "hard_sigmoid"}
_MERGES = {"concat": "concat", "sum": "sum", "ave": "average"}


def layers_of(foreign: Any) -> list[Any]:
    """The layers of a Sequential that do anything; a layer as it is.

    Raises:
      TypeError: for what is neither.
      ValueError: for both directions of which a Sequential keeps the last states alone.
    """
    if not hasattr(foreign, "name"):
        raise TypeError(
            "`foreign` must be a layer or a Sequential of Keras, got "
            f"{type(foreign).__name__}"
        )
    if type(foreign).__name__ != "Sequential":
        return [foreign]
    for layer in foreign.layers:
        if type(layer).__name__ == "Bidirectional":
            hint = "read it alone, and take both carries"
            _must(layer, hint, return_sequences=True)
    return [layer for layer in foreign.layers if type(layer).__name__ != "InputLayer"]


def cells_of(layer: Any, *, one_bias: bool) -> list[Cell]:
    """What a layer is; a `Dense` with an activation is two."""
    kind = type(layer).__name__
    if kind in _RECURRENT:
        return [_recurrent(layer, one_bias=one_bias)]
    if kind == "Bidirectional":
        return [_both(layer, one_bias=one_bias)]
    if kind == "Embedding":
        hint = "set it to False, and give `lengths` or `mask` to `unroll`"
        _must(layer, hint, mask_zero=False)
        return [Embed(layer.input_dim, layer.output_dim)]
    if kind == "Dropout":
        _must(layer, noise_shape=None)
        return [Dropout(layer.rate)]
    if kind == "Dense":
        function = _function(layer, _FUNCTIONS | {"softmax": "softmax"})
        after = [] if function == "identity" else [Map(function)]
        return [Dense(layer.units), *after]
    raise ValueError(
        f"`{layer.name}`, a layer of the kind {kind}, has no counterpart: known are "
        f"{', '.join(_RECURRENT)}, Bidirectional, Embedding, Dropout, Dense and a "
        "Sequential of them"
    )


def _both(layer: Any, *, one_bias: bool) -> Cell:
    if layer.merge_mode not in _MERGES:
        raise ValueError(
            f"`merge_mode={layer.merge_mode!r}` of `{layer.name}` has no counterpart"
        )
    forward = _recurrent(layer.forward_layer, one_bias=one_bias)
    backward = _recurrent(layer.backward_layer, one_bias=one_bias, backwards=True)
    return Bidirectional(forward, backward, _MERGES[layer.merge_mode])


def _recurrent(layer: Any, *, one_bias: bool, backwards: bool = False) -> Cell:
    kind = type(layer).__name__
    if kind not in _RECURRENT:
        raise ValueError(
            f"`{layer.name}`, a layer of the kind {kind}, has no counterpart"
        )
    _must(layer, go_backwards=backwards, dropout=0.0, recurrent_dropout=0.0)
    options: dict[str, Any] = {"activation": _function(layer, _FUNCTIONS)}
    if kind != "SimpleRNN":
        gates = _function(layer, _GATES, "recurrent_activation")
        options["gate_activation"] = gates
    if kind == "GRU":
        after = layer.reset_after
        options["reset"] = "after" if after else "before"
        options["recurrent_bias"] = after and not one_bias
    return _RECURRENT[kind](layer.units, **options)


def _must(layer: Any, hint: str = "", **plain: Any) -> None:
    """Raise for options that have other values than our cells know."""
    wrong = [name for name, value in plain.items() if getattr(layer, name) != value]
    if wrong:
        said = ", ".join(f"`{name}={getattr(layer, name)!r}`" for name in wrong)
        message = f"{said} of `{layer.name}` has no counterpart"
        raise ValueError(f"{message}: {hint}" if hint else message)


def _function(layer: Any, known: dict[str, str], option: str = "activation") -> str:
    """Keras' own function as our cells call it; one of the user's has any name."""
    given = getattr(layer, option)
    name = getattr(given, "__name__", type(given).__name__)
    if name not in known or not given.__module__.startswith("keras."):
        raise ValueError(f"`{option}={name!r}` of `{layer.name}` has no counterpart")
    return known[name]
