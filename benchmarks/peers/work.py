"""What is run: networks of many shapes, their parameters, and what they cost."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

import jaxrnn as jr
from jaxrnn.typing import Array, Key, PyTree


class Shape(NamedTuple):
    """T steps of B rows, their size, and the size of the hidden state."""

    steps: int
    rows: int
    input: int
    hidden: int

    def __str__(self) -> str:
        return f"({', '.join(map(str, self))})"


SHAPES = tuple(
    Shape(*sizes)
    for sizes in (
        (100, 32, 128, 128),
        (100, 32, 256, 512),
        (200, 1, 128, 256),
        (100, 64, 512, 1024),
        (50, 1, 1024, 1024),
        (1000, 16, 32, 64),
        (25, 1, 64, 100),
        (100, 8, 64, 256),
        (64, 128, 128, 256),
    )
)
DEEP_SHAPES = (SHAPES[0], SHAPES[7])
QUICK_SHAPES = (SHAPES[0], SHAPES[6])
LARGE = SHAPES[3]


class Network(NamedTuple):
    """A network that libraries have in common.

    Args:
      name: shown in tables.
      kind: of its cells, by which a library finds its own.
      cell: the network in jaxrnn, of a hidden size.
      gates: one name for each block of H columns of jaxrnn's kernels.
      shapes: at which it is measured.
      layers: how many, one above the other.
      directions: 1, or 2 whose outputs are concatenated.
    """

    name: str
    kind: str
    cell: Callable[[int], jr.Cell]
    gates: Sequence[str]
    shapes: Sequence[Shape] = SHAPES
    layers: int = 1
    directions: int = 1


def two_layers_both_ways(hidden_size: int) -> jr.Cell:
    """Two layers of LSTMs forwards and backwards."""
    return jr.Stack(*[jr.Bidirectional(jr.LSTM(hidden_size)) for _ in range(2)])


GRU_AFTER = functools.partial(jr.GRU, reset="after")
NETWORKS = (
    Network("LSTM", "LSTM", jr.LSTM, "ifog"),
    Network("GRU, reset after", "GRU after", GRU_AFTER, "zrn"),
    Network("GRU, reset before", "GRU before", jr.GRU, "zrn"),
    Network("RNN, tanh", "RNN", jr.Elman, ("",)),
    Network(
        "LSTM, 2 layers both ways",
        "LSTM",
        two_layers_both_ways,
        "ifog",
        shapes=DEEP_SHAPES,
        layers=2,
        directions=2,
    ),
)


class Row(NamedTuple):
    """A network at a shape: one line of a table, forwards and with its gradient."""

    network: Network
    shape: Shape

    @property
    def kind(self) -> str:
        return self.network.kind

    @property
    def deep(self) -> bool:
        """Whether the network is two layers both ways, and not one layer one way."""
        return self.network.layers > 1

    def __str__(self) -> str:
        return f"{self.network.name} {self.shape}"

    def input_sizes(self) -> list[int]:
        """What each layer reads."""
        above = [self.network.directions * self.shape.hidden] * self.network.layers
        return [self.shape.input, *above[1:]]

    def params(self) -> PyTree:
        """jaxrnn's, all of them random: a bias of zero would hide a mistake."""
        key = jax.random.key(0)
        params = self.network.cell(self.shape.hidden).init(key, self.shape.input)
        leaves, tree = jax.tree.flatten(params)
        keys = jax.tree.unflatten(tree, list(jax.random.split(key, len(leaves))))

        def shaken(leaf: Array, key: Key) -> Array:
            noise = 0.1 * jax.random.normal(key, leaf.shape, leaf.dtype)
            return leaf + noise if leaf.ndim == 1 else leaf

        return jax.tree.map(shaken, params, keys)

    def inputs(self) -> Array:
        """`[T, B, input]`, float32."""
        return jax.random.normal(jax.random.key(1), self.shape[:3], jnp.float32)

    def products(self) -> list[tuple[int, int, int]]:
        """The products `[m, n] x [n, k]` that it consists of, each once."""
        T, B, _, H = self.shape
        columns = len(self.network.gates) * H
        of_inputs = [(T * B, size, columns) for size in self.input_sizes()]
        return [*of_inputs, (B, H, columns)]

    def operations(self, *, train: bool) -> int:
        """Floating-point operations of its products.

        The gradient takes one product for the parameters and one for what was
        multiplied with them, which is asked of all but the first layer's input.
        """
        T, B, _, H = self.shape
        sizes = self.input_sizes()
        each = 3 if train else 1
        inputs = each * sum(sizes) - (sizes[0] if train else 0)
        columns = len(self.network.gates) * H * self.network.directions
        return 2 * T * B * columns * (inputs + each * len(sizes) * H)


def cells_of(params: PyTree) -> list[dict[str, Array]]:
    """Each cell's parameters, layer by layer, forwards before backwards."""
    if isinstance(params, dict):
        return [params]
    return [layer[way] for layer in params for way in ("forward", "backward")]


def reorder(array: Array, gates: Sequence[str], order: Sequence[str]) -> Array:
    """The blocks of the last axis, which `gates` names, in another order."""
    return jnp.concatenate([by_gate(array, gates)[gate] for gate in order], axis=-1)


def by_gate(array: Array, gates: Sequence[str]) -> dict[str, Array]:
    """The blocks of the last axis by the names of their gates."""
    return dict(zip(gates, jnp.split(array, len(gates), axis=-1), strict=True))
