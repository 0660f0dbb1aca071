"""Haiku runs its own cores."""

import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxrnn as jr
from interop.peers.run import B, Case, H, N, Run, draw

_LSTM = jr.LSTM(H, forget_offset=1.0, forget_bias=0.0)
_RELU = jr.Elman(H, activation="relu", recurrent_bias=True)
CASES = [
    Case("lstm", "LSTM", _LSTM),
    Case("gru", "GRU", jr.GRU(H, update="replace")),
    Case("vanilla", "VanillaRNN", _RELU),
    Case(
        "vanilla_one_bias",
        "VanillaRNN",
        _RELU.replace(recurrent_bias=False),
        {"double_bias": False},
    ),
    Case("deep", "DeepRNN", jr.Stack(_LSTM, jr.GRU(H, update="replace"))),
]
interop = jr.interop.haiku
NAMES = {"deep": ("lstm", "gru")}


def _program(case: Case) -> Any:
    import haiku as hk

    def core() -> Any:
        if case.kind == "DeepRNN":
            return hk.DeepRNN([hk.LSTM(H), hk.GRU(H)])
        return getattr(hk, case.kind)(H, **case.options)

    return hk.without_apply_rng(
        hk.transform(lambda xs, s: hk.dynamic_unroll(core(), xs, s))
    )


def states(case: Case, arrays: Any) -> Any:
    import collections

    pair = collections.namedtuple("LSTMState", ("hidden", "cell"))
    if case.kind == "LSTM":
        return pair(*arrays)
    return (pair(*arrays[:2]), arrays[2]) if case.kind == "DeepRNN" else arrays[0]


def foreign(case: Case, weights: Any) -> Any:
    modules: dict[str, Any] = {}
    for name, array in weights.items():
        module, _, last = name.rpartition("/")
        modules.setdefault(module, {})[last] = array
    return modules


def weights_of(written: Any) -> dict[str, np.ndarray]:
    return {
        f"{m}/{name}": np.asarray(a)
        for m, own in written.items()
        for name, a in own.items()
    }


def drawn(case: Case, dtype: Any = np.float64) -> Run:
    shapes_of = [(B, H)] * {"LSTM": 2, "DeepRNN": 3}.get(case.kind, 1)
    zeros = [np.zeros(s, dtype) for s in shapes_of]
    init = _program(case).init
    xs = np.zeros((2, B, N), dtype)
    params = jax.eval_shape(init, jax.random.key(0), xs, _own(case, zeros))
    shapes = {f"{m}/{n}": a.shape for m, own in params.items() for n, a in own.items()}
    return draw(shapes, shapes_of, H, zlib.crc32(case.name.encode()), dtype)


def _own(case: Case, arrays: Any) -> Any:
    import haiku as hk

    if case.kind == "LSTM":
        return hk.LSTMState(*arrays)
    if case.kind == "DeepRNN":
        return hk.LSTMState(*arrays[:2]), arrays[2]
    return arrays[0]


def run(case: Case, given: Run) -> Run:
    apply = _program(case).apply

    def loss(weights: Any, xs: Any, start: Any) -> Any:
        ys, end = apply(foreign(case, weights), xs, _own(case, start))
        end = jax.tree.leaves(end)
        total = jnp.sum(ys * given.push)
        pulled = [jnp.sum(e * p) for e, p in zip(end, given.pull, strict=True)]
        return total + sum(pulled), (ys, end)

    grads, (ys, end) = jax.jit(jax.grad(loss, (0, 1, 2), has_aux=True))(
        given.weights, given.xs, given.start
    )
    return given.done(ys, end, grads)


def read(case: Case, weights: Any) -> Any:
    """`read` of weights by name."""
    return interop.read(foreign(case, weights), names=NAMES.get(case.name))


def write(case: Case, cell: Any, params: Any) -> dict[str, np.ndarray]:
    """The inverse of `read`."""
    return weights_of(interop.write(cell, params, names=NAMES.get(case.name)))


def leave(cell: Any, carry: Any) -> Any:
    """`write_carry` where Haiku may be missing."""
    return carry
