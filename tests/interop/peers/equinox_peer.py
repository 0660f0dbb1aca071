"""Equinox runs its own cells."""

import types
import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxrnn as jr
from interop.peers.run import B, Case, H, N, Run, draw

CASES = [
    Case("lstm", "LSTMCell", jr.LSTM(H)),
    Case("lstm_no_bias", "LSTMCell", jr.LSTM(H), {"use_bias": False}),
    Case("gru", "GRUCell", jr.GRU(H, "after")),
]
interop = jr.interop.equinox


def _module(case: Case) -> Any:
    import equinox as eqx

    return getattr(eqx.nn, case.kind)(N, H, **case.options, key=jax.random.key(0))


def _names(case: Case) -> list[str]:
    biases = ["bias"] if case.options.get("use_bias", True) else []
    biases += ["bias_n"] if case.kind == "GRUCell" else []
    return ["weight_ih", "weight_hh", *biases]


def drawn(case: Case, dtype: Any = np.float64) -> Run:
    blank = _module(case)
    shapes = {name: getattr(blank, name).shape for name in _names(case)}
    states_of = [(B, H)] * (1 + (case.kind == "LSTMCell"))
    return draw(shapes, states_of, H, zlib.crc32(case.name.encode()), dtype)


def states(case: Case, arrays: Any) -> Any:
    return tuple(arrays) if len(arrays) > 1 else arrays[0]


def foreign(case: Case, weights: Any) -> Any:
    """An object like Equinox's, for where Equinox may be missing."""
    kind = type(case.kind, (types.SimpleNamespace,), {})
    rest = {"bias": None, "bias_n": None}
    return kind(hidden_size=H, input_size=N, **(rest | weights))


def weights_of(written: Any) -> dict[str, np.ndarray]:
    names = ("weight_ih", "weight_hh", "bias", "bias_n")
    found = {name: getattr(written, name, None) for name in names}
    return {name: np.asarray(a) for name, a in found.items() if a is not None}


def run(case: Case, given: Run) -> Run:
    import equinox as eqx

    def loss(weights: Any, xs: Any, start: Any) -> Any:
        where = lambda m: [getattr(m, name) for name in weights]
        cell = eqx.tree_at(where, _module(case), list(weights.values()))

        def step(state: Any, x: Any) -> Any:
            state = jax.vmap(cell)(x, state)
            return state, state[0] if isinstance(state, tuple) else state

        end, ys = jax.lax.scan(step, states(case, start), xs)
        end = jax.tree.leaves(end)
        pulled = [jnp.sum(e * p) for e, p in zip(end, given.pull, strict=True)]
        return jnp.sum(ys * given.push) + sum(pulled), (ys, end)

    # In the order of the table, for `where` and the leaves must agree.
    weights = {name: given.weights[name] for name in _names(case)}
    # Op by op: compiled by jaxlib 0.10.2 for a CPU, one row of the gradient is wrong.
    with jax.disable_jit():
        grads, (ys, end) = jax.grad(loss, (0, 1, 2), has_aux=True)(
            weights, given.xs, given.start
        )
    return given.done(ys, end, grads)


def read(case: Case, weights: Any) -> Any:
    """`read` of weights by name."""
    return interop.read(foreign(case, weights), case.cell if case.told else None)


def write(case: Case, cell: Any, params: Any) -> dict[str, np.ndarray]:
    """The inverse of `read`."""
    return weights_of(interop.write(cell, params))
