"""The libraries: how each takes jaxrnn's parameters, and how it runs a network.

A library is a function of a row. It returns None where it has no such network, else a
`Peer`: a function from jaxrnn's parameters to its own, and one that runs them. Each is
written as the library's own documentation would: time-major and jitted where it can be.
"""

import importlib.metadata
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxrnn as jr
from benchmarks.peers.peer import Peer, TorchPeer
from benchmarks.peers.work import Row, by_gate, cells_of, reorder
from jaxrnn.typing import Array, PyTree

PARTS = ("kernel", "recurrent_kernel", "bias")


def jaxrnn(row: Row) -> Peer:
    """`unroll`, time-major."""
    cell = row.network.cell(row.shape.hidden)
    return Peer(lambda params: params, lambda own, xs: jr.unroll(cell, own, xs)[1])


def linen(row: Row, *, lstm: str = "OptimizedLSTMCell") -> Peer | None:
    """`RNN`, time-major; its optimized LSTM joins the gates' kernels at every step."""
    from flax import linen as nn

    cells = {"LSTM": getattr(nn, lstm), "GRU after": nn.GRUCell, "RNN": nn.SimpleCell}
    if row.kind not in cells or (lstm == "LSTMCell" and row.kind != "LSTM"):
        return None
    layer = lambda: nn.RNN(cells[row.kind](row.shape.hidden), time_major=True)
    both = lambda: nn.Bidirectional(layer(), layer(), time_major=True)

    def own(params: PyTree) -> PyTree:
        tree = {}
        for side, kernel in (("i", "kernel"), ("h", "recurrent_kernel")):
            for gate, block in by_gate(params[kernel], row.network.gates).items():
                tree[side + gate] = {"kernel": block}
        for gate, bias in by_gate(params["bias"], row.network.gates).items():
            tree[("h" if row.kind == "LSTM" else "i") + gate]["bias"] = bias
        if "recurrent_bias" in params:
            tree["hn"]["bias"] = params["recurrent_bias"]
        return {"cell": tree}

    def fill(params: PyTree) -> PyTree:
        layers = flax_layers(params, own)
        return {"params": {f"layers_{n}": layer for n, layer in enumerate(layers)}}

    parts = [both() if row.deep else layer() for _ in row.input_sizes()]
    return Peer(fill, nn.Sequential(parts).apply)


def flax_layers(params: PyTree, own: Callable[[PyTree], PyTree]) -> Iterator[PyTree]:
    """What `own` makes of each cell, in Flax's names, a tree a layer."""
    if isinstance(params, dict):
        yield own(params)
        return
    for layer in params:
        yield {f"{way}_rnn": own(cell) for way, cell in layer.items()}


def nnx(row: Row) -> Peer | None:
    """`RNN`, time-major, split into graph and parameters, so that plain jit serves."""
    from flax import nnx

    cells = {
        "LSTM": (nnx.OptimizedLSTMCell, "ifgo"),
        "GRU after": (nnx.GRUCell, "rzn"),
        "RNN": (nnx.SimpleCell, ("",)),
    }
    if row.kind not in cells:
        return None
    cell, order = cells[row.kind]
    rngs, H = nnx.Rngs(0), row.shape.hidden
    layer = lambda size: nnx.RNN(cell(size, H, rngs=rngs), time_major=True)
    both = lambda size: nnx.Bidirectional(layer(size), layer(size), time_major=True)
    model = nnx.Sequential(*map(both if row.deep else layer, row.input_sizes()))
    graph, _, rest = nnx.split(model, nnx.Param, ...)
    rest = nnx.to_pure_dict(rest)

    def own(params: PyTree) -> PyTree:
        turned = [reorder(params[n], row.network.gates, order) for n in PARTS]
        tree = {"dense_i": {"kernel": turned[0]}, "dense_h": {"kernel": turned[1]}}
        tree["dense_h" if row.kind == "LSTM" else "dense_i"]["bias"] = turned[2]
        return {"cell": tree}

    def fill(params: PyTree) -> PyTree:
        return {"layers": dict(enumerate(flax_layers(params, own)))}

    def run(own: PyTree, xs: Array) -> Array:
        return nnx.merge(graph, nnx.State(own), nnx.State(rest))(xs)

    return Peer(fill, run, without=("recurrent_bias",))


def haiku(row: Row) -> Peer | None:
    """`dynamic_unroll`, time-major; its only vanilla network is a relu one."""
    import haiku as hk

    cores = {"LSTM": hk.LSTM, "GRU before": hk.GRU}
    if row.kind not in cores or row.deep:
        return None

    def net(xs: Array) -> Array:
        core = cores[row.kind](row.shape.hidden)
        return hk.dynamic_unroll(core, xs, core.initial_state(row.shape.rows))[0]

    def fill(params: PyTree) -> PyTree:
        if row.kind == "LSTM":
            params = {n: reorder(a, "ifog", "igfo") for n, a in params.items()}
            kernel = jnp.concatenate([params["kernel"], params["recurrent_kernel"]])
            # It adds 1 to the forget gate itself.
            bias = params["bias"] - np.repeat([0.0, 0, 1, 0], row.shape.hidden)
            return {"lstm/linear": {"w": kernel, "b": bias}}
        # Its z is what jaxrnn's 1 - z is, and s(-a) = 1 - s(a).
        sign = np.repeat([-1.0, 1, 1], row.shape.hidden)
        names = {"w_i": "kernel", "w_h": "recurrent_kernel", "b": "bias"}
        return {"gru": {own: params[name] * sign for own, name in names.items()}}

    return Peer(fill, hk.without_apply_rng(hk.transform(net)).apply)


def equinox(row: Row) -> Peer | None:
    """`vmap` of a scan of its cells, which know no batch; it has no vanilla cell."""
    import equinox as eqx

    cells = {"LSTM": (eqx.nn.LSTMCell, "ifgo"), "GRU after": (eqx.nn.GRUCell, "rzn")}
    if row.kind not in cells or row.deep:
        return None
    make, order = cells[row.kind]
    blank = make(row.shape.input, row.shape.hidden, key=jax.random.key(0))

    def fill(params: PyTree) -> PyTree:
        own = {n: reorder(params[n], row.network.gates, order).T for n in PARTS}
        if row.kind == "LSTM":
            where = lambda cell: (cell.weight_ih, cell.weight_hh, cell.bias)
            return eqx.tree_at(where, blank, tuple(own.values()))
        where = lambda cell: (cell.weight_ih, cell.weight_hh, cell.bias, cell.bias_n)
        return eqx.tree_at(where, blank, (*own.values(), params["recurrent_bias"]))

    def run(cell: Any, xs: Array) -> Array:
        def step(state: PyTree, x: Array) -> tuple[PyTree, Array]:
            state = cell(x, state)
            return state, state[0] if row.kind == "LSTM" else state

        zeros = jnp.zeros(row.shape.hidden)
        start = (zeros, zeros) if row.kind == "LSTM" else zeros
        one = lambda xs: jax.lax.scan(step, start, xs)[1]
        return jax.vmap(one, in_axes=1, out_axes=1)(xs)

    return Peer(fill, run)


def keras(row: Row) -> Peer | None:
    """Layers on JAX by `stateless_call`; batch-major, which is all it offers."""
    os.environ["KERAS_BACKEND"] = "jax"
    from keras import Sequential, layers

    cells = {
        "LSTM": layers.LSTM,
        "GRU after": layers.GRU,
        "GRU before": partial(layers.GRU, reset_after=False),
        "RNN": layers.SimpleRNN,
    }
    order = {"LSTM": "ifgo", "RNN": ("",)}.get(row.kind, "zrn")
    layer = lambda: cells[row.kind](row.shape.hidden, return_sequences=True)
    both = lambda: layers.Bidirectional(layer())
    model = Sequential([both(), both()]) if row.deep else layer()
    model.build((row.shape.rows, row.shape.steps, row.shape.input))
    rest = [variable.value for variable in model.non_trainable_variables]

    def own(params: PyTree) -> Iterator[Array]:
        for name in PARTS:
            turned = reorder(params[name], row.network.gates, order)
            if name == "bias" and row.kind == "GRU after":
                recurrent = jnp.pad(params["recurrent_bias"], (2 * row.shape.hidden, 0))
                turned = jnp.stack([turned, recurrent])
            yield turned

    return Peer(
        lambda params: [array for cell in cells_of(params) for array in own(cell)],
        lambda own, xs: model.stateless_call(own, rest, xs)[0],
        batch_major=True,
    )


def cudnn(row: Row) -> Peer | None:
    """cuDNN's LSTM as JAX calls it, on GPUs; batch-major, all layers in one call."""
    if row.kind != "LSTM" or jax.default_backend() != "gpu":
        return None
    from jax.experimental import rnn

    T, B, size, H = row.shape
    layers, both = row.network.layers, row.network.directions == 2

    def fill(params: PyTree) -> Array:
        turned = [
            {n: reorder(a, "ifog", "ifgo") for n, a in cell.items()}
            for cell in cells_of(params)
        ]
        kernels = [
            cell[name].T.ravel()
            for cell in turned
            for name in ("kernel", "recurrent_kernel")
        ]
        biases = [b for cell in turned for b in (cell["bias"], jnp.zeros(4 * H))]
        return jnp.concatenate([*kernels, *biases])

    def run(weights: Array, xs: Array) -> Array:
        start = jnp.zeros((layers * row.network.directions, B, H))
        lengths = jnp.full(B, T, jnp.int32)
        given = (xs, start, start, weights, lengths, size, H, layers, 0.0, both)
        return rnn.lstm(*given)[0]

    return Peer(fill, run, batch_major=True)


def torch(row: Row) -> TorchPeer | None:
    """Modules of torch, time-major; their second biases are zero but the GRU's."""
    from torch import nn

    modules = {
        "LSTM": (nn.LSTM, "ifgo"),
        "GRU after": (nn.GRU, "rzn"),
        "RNN": (nn.RNN, ("",)),
    }
    if row.kind not in modules:
        return None
    module, order = modules[row.kind]
    (_, _, size, hidden), network = row.shape, row.network

    def fill(params: PyTree) -> dict[str, Array]:
        tree = {}
        for index, cell in enumerate(cells_of(params)):
            layer, back = divmod(index, network.directions)
            end = f"_l{layer}{'_reverse' * back}"
            turned = [reorder(cell[n], network.gates, order).T for n in PARTS]
            tree["weight_ih" + end], tree["weight_hh" + end], bias = turned
            second = cell.get("recurrent_bias", jnp.zeros(hidden))
            tree["bias_ih" + end] = bias
            tree["bias_hh" + end] = jnp.pad(second, (bias.size - hidden, 0))
        return tree

    both_ways = network.directions == 2
    layers = {"num_layers": network.layers, "bidirectional": both_ways}
    return TorchPeer(fill, module(size, hidden, **layers))


class Library(NamedTuple):
    """A library: its name here, the distribution that holds it, and its networks."""

    name: str
    distribution: str
    build: Callable[[Row], Peer | TorchPeer | None]

    @property
    def version(self) -> str | None:
        """The installed one."""
        try:
            return importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            return None


LIBRARIES = (
    Library("jaxrnn", "jaxrnn", jaxrnn),
    Library("linen", "flax", linen),
    Library("linen LSTMCell", "flax", partial(linen, lstm="LSTMCell")),
    Library("nnx", "flax", nnx),
    Library("haiku", "dm-haiku", haiku),
    Library("equinox", "equinox", equinox),
    Library("keras", "keras", keras),
    Library("cuDNN", "jax", cudnn),
    Library("torch", "torch", torch),
)
