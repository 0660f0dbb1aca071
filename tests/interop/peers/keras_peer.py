"""Keras, on JAX, runs its own layers."""

import os
import types
import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxrnn as jr
from interop.peers.run import LENGTHS, B, Case, H, N, Run, draw

_AFTER = jr.GRU(H, "after", recurrent_bias=True)
_BEFORE = {"reset_after": False}
CASES = [
    Case("lstm", "LSTM", jr.LSTM(H), lengths=LENGTHS.clip(1)),
    Case("lstm_both", "LSTM", jr.Bidirectional(jr.LSTM(H)), {"both": True}),
    Case("gru_after", "GRU", _AFTER, {"reset_after": True}),
    Case(
        "gru_after_both",
        "GRU",
        jr.Bidirectional(_AFTER),
        {"both": True},
        lengths=LENGTHS,
    ),
    Case("gru_before", "GRU", jr.GRU(H), _BEFORE),
    Case("simple", "SimpleRNN", jr.Elman(H)),
    Case("simple_relu", "SimpleRNN", jr.Elman(H, "relu"), {"activation": "relu"}),
    Case("gru_no_bias", "GRU", _AFTER, {"use_bias": False}),
]
interop = jr.interop.keras
TOLERANCE = 1e-5  # its tanh is of float32, whatever its layer is


def keras() -> Any:
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    return keras


def layer(case: Case, dtype: Any = np.float32) -> Any:
    nn = keras().layers
    options = {k: v for k, v in case.options.items() if k != "both"}
    kind = np.dtype(dtype).name
    made = getattr(nn, case.kind)(
        H, return_sequences=True, return_state=True, dtype=kind, **options
    )
    if "both" in case.options:
        made = nn.Bidirectional(made, dtype=kind)
    made.build((B, None, N))
    return made


def drawn(case: Case, dtype: Any = np.float32) -> Run:
    blank, both = layer(case), 1 + ("both" in case.options)
    shapes = {
        f"{i:02}": tuple(w.shape) for i, w in enumerate(blank.trainable_variables)
    }
    states_of = [(B, H)] * both * (1 + (case.kind == "LSTM"))
    return draw(shapes, states_of, both * H, zlib.crc32(case.name.encode()), dtype)


def states(case: Case, arrays: Any) -> Any:
    return arrays


def foreign(case: Case, weights: Any) -> Any:
    """An object like Keras' layer, for where Keras may be missing."""
    arrays = [weights[name] for name in sorted(weights)]
    sides = 1 + ("both" in case.options)
    each = len(arrays) // sides
    made = [
        _like(case, arrays[i * each : (i + 1) * each], backwards=bool(i))
        for i in range(sides)
    ]
    if sides == 1:
        return made[0]
    kind = type("Bidirectional", (types.SimpleNamespace,), {})
    return kind(
        name="both",
        built=True,
        merge_mode="concat",
        forward_layer=made[0],
        backward_layer=made[1],
    )


def _like(case: Case, arrays: list, *, backwards: bool) -> Any:
    config = {
        "activation": "tanh",
        "recurrent_activation": "sigmoid",
        "go_backwards": backwards,
        "dropout": 0.0,
        "recurrent_dropout": 0.0,
        "reset_after": True,
        **{k: v for k, v in case.options.items() if k != "both"},
    }
    for option in ("activation", "recurrent_activation"):
        config[option] = types.SimpleNamespace(
            __name__=config[option], __module__="keras.activations"
        )
    names = ("kernel", "recurrent_kernel", "bias")
    own = dict(zip(names, [*arrays, None][:3], strict=True))
    cell = types.SimpleNamespace(reset_after=config["reset_after"], **own)
    kind = type(case.kind, (types.SimpleNamespace,), {})
    return kind(name=case.name, built=True, units=H, cell=cell, **config)


def weights_of(written: Any) -> dict[str, np.ndarray]:
    return {f"{i:02}": np.asarray(a) for i, a in enumerate(written)}


def run(case: Case, given: Run) -> Run:
    made = layer(case, given.xs.dtype)
    names = sorted(given.weights)
    rest = [v.value for v in made.non_trainable_variables]
    mask = None
    if case.lengths is not None:
        mask = np.arange(len(given.xs)) < case.lengths[:, None]

    def loss(weights: Any, xs: Any, start: Any) -> Any:
        out, _ = made.stateless_call(
            [weights[name] for name in names],
            rest,
            xs.swapaxes(0, 1),
            initial_state=start,
            mask=mask,
        )
        ys, end = out[0].swapaxes(0, 1), list(out[1:])
        push = given.push if mask is None else given.push * mask.T[..., None]
        pulled = [jnp.sum(e * p) for e, p in zip(end, given.pull, strict=True)]
        return jnp.sum(ys * push) + sum(pulled), (ys, end)

    with jax.numpy_dtype_promotion("standard"), jax.enable_x64(False):
        grads, (ys, end) = jax.grad(loss, (0, 1, 2), has_aux=True)(
            jax.tree.map(jnp.asarray, given.weights),
            jnp.asarray(given.xs),
            list(map(jnp.asarray, given.start)),
        )
    if mask is not None:  # Keras repeats the last output there
        ys = np.where(mask.T[..., None], ys, 0)
    return given.done(ys, end, grads)


def read(case: Case, weights: Any) -> Any:
    """`read` of weights by name."""
    return interop.read(foreign(case, weights), case.cell if case.told else None)


def write(case: Case, cell: Any, params: Any) -> dict[str, np.ndarray]:
    """The inverse of `read`."""
    return weights_of(interop.write(cell, params))
