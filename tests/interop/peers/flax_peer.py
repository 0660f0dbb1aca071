"""Flax, linen and nnx, runs its own cells."""

import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx
from flax.traverse_util import flatten_dict, unflatten_dict

import jaxrnn as jr
from interop.peers.run import LENGTHS, B, Case, H, N, Run, draw

_SOME = LENGTHS.clip(1)  # Flax takes the last step where there is none
_GRU = jr.GRU(H, "after")
CASES = [
    Case("linen_lstm", "LSTMCell", jr.LSTM(H), lengths=_SOME),
    Case("linen_optimized", "OptimizedLSTMCell", jr.LSTM(H)),
    Case("linen_gru", "GRUCell", _GRU),
    Case(
        "linen_gru_both",
        "GRUCell",
        jr.Bidirectional(_GRU),
        {"both": True},
        lengths=_SOME,
    ),
    Case("linen_mgu", "MGUCell", jr.MGU(H, "after", "keep")),
    Case("linen_simple", "SimpleCell", jr.Elman(H)),
    Case("nnx_lstm", "LSTMCell", jr.LSTM(H)),
    Case("nnx_optimized", "OptimizedLSTMCell", jr.LSTM(H), lengths=_SOME),
    Case("nnx_gru", "GRUCell", _GRU),
    Case("nnx_gru_both", "GRUCell", jr.Bidirectional(_GRU), {"both": True}),
    Case("nnx_simple", "SimpleCell", jr.Elman(H)),
]
interop = jr.interop.flax


def module(case: Case, dtype: Any = np.float64) -> Any:
    both = "both" in case.options
    if case.name.startswith("linen"):
        cell = lambda: getattr(linen, case.kind)(H, param_dtype=dtype)
        if both:
            sides = (linen.RNN(cell()), linen.RNN(cell()))
            return linen.Bidirectional(*sides, return_carry=True)
        return linen.RNN(cell(), return_carry=True)
    rngs = nnx.Rngs(0)
    options = {"dtype": dtype, "param_dtype": dtype, "rngs": rngs}
    cell = lambda: getattr(nnx, case.kind)(N, H, **options)
    if both:
        return nnx.Bidirectional(nnx.RNN(cell()), nnx.RNN(cell()), return_carry=True)
    return nnx.RNN(cell(), return_carry=True)


def drawn(case: Case, dtype: Any = np.float64) -> Run:
    made = module(case)
    if case.name.startswith("linen"):
        xs = jnp.zeros((B, 2, N))
        tree = jax.eval_shape(made.init, jax.random.key(0), xs)["params"]
    else:
        tree = nnx.to_pure_dict(nnx.state(made, nnx.Param))
    shapes = {name: a.shape for name, a in flatten_dict(tree, sep="/").items()}
    both = 1 + ("both" in case.options)
    states_of = [(B, H)] * both * (1 + ("LSTM" in case.kind))
    return draw(shapes, states_of, both * H, zlib.crc32(case.name.encode()), dtype)


def states(case: Case, arrays: Any) -> Any:
    """(c, h) of an LSTM, h of others, a pair of both directions."""
    return tuple(arrays) if len(arrays) > 1 else arrays[0]


def read(case: Case, weights: Any) -> Any:
    tree = unflatten_dict(weights, sep="/")
    made = module(case, next(iter(weights.values())).dtype)
    if case.name.startswith("linen"):
        return interop.read(made, {"params": tree})
    nnx.update(made, jax.tree.map(jnp.asarray, tree))
    return interop.read(made)


def write(case: Case, cell: Any, params: Any) -> dict[str, np.ndarray]:
    written = interop.write(cell, params, into=module(case))
    tree = written["params"] if case.name.startswith("linen") else written
    return {name: np.asarray(a) for name, a in flatten_dict(tree, sep="/").items()}


def run(case: Case, given: Run) -> Run:
    made = module(case, given.xs.dtype)
    lengths = None if case.lengths is None else jnp.asarray(case.lengths)

    def call(weights: Any, xs: Any, start: Any) -> Any:
        tree = unflatten_dict(weights, sep="/")
        options = {"initial_carry": states(case, start), "seq_lengths": lengths}
        if case.name.startswith("linen"):
            return made.apply({"params": tree}, xs, **options)
        graph, state, rest = nnx.split(made, nnx.Param, ...)
        nnx.replace_by_pure_dict(state, tree)
        return nnx.merge(graph, state, rest)(xs, **options)

    real = np.ones(given.xs.shape[:2], bool)
    if case.lengths is not None:
        real = np.arange(len(given.xs))[:, None] < case.lengths

    def loss(weights: Any, xs: Any, start: Any) -> Any:
        end, ys = call(weights, xs.swapaxes(0, 1), start)
        end, ys = jax.tree.leaves(end), ys.swapaxes(0, 1)
        ys = jnp.where(real[..., None], ys, jnp.zeros((), ys.dtype))
        pulled = [jnp.sum(e * p) for e, p in zip(end, given.pull, strict=True)]
        return jnp.sum(ys * given.push) + sum(pulled), (ys, end)

    with jax.numpy_dtype_promotion("standard"):
        grads, (ys, end) = jax.jit(jax.grad(loss, (0, 1, 2), has_aux=True))(
            given.weights, given.xs, given.start
        )
    return given.done(ys, end, grads)
