"""A Flax module as a cell: a memoryless layer, or a recurrent cell of Flax."""

import inspect
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cell import Cell, Memoryless
from jaxrnn.interop.flax.kinds import family
from jaxrnn.product import cast, zeros
from jaxrnn.typing import Array, Key, PyTree, Shape, Size


def as_cell(module: Any, *, input_ndim: int = 1) -> Cell:
    """A Flax module as a cell, to stand in a `Stack`.

    What Flax runs step by step, an `RNNCellBase`, is a cell; any other module is a
    layer without memory, which is called once for all steps and rows. A linen module's
    parameters are drawn by `init`; those of an nnx module are what it holds when `init`
    is called. They stand in the tree as Flax has them.

    A cell of Flax draws nothing: noise goes around it, as `VariationalDropout`.

    Args:
      module: of linen or of nnx; its parameters may be its only state. One whose call
        takes `deterministic` or `train` is told whether there is a key; a key is also
        the one for "dropout".
      input_ndim: the rank of one input of one row: 3 for an image with channels, 2 for
        a sequence that an attention block reads, 0 for token ids.

    Returns:
      A cell. It cannot be saved, for a file cannot hold Flax's module.

    Raises:
      TypeError: for what is no module of Flax.
      ValueError: for a recurrent one that is to be told whether it is training, or with
        another `num_feature_axes` than `input_ndim`; from `init` for other state than
        parameters and random numbers.

    Example:
      >>> import jaxrnn as jr
      >>> from flax import linen as nn
      >>> model = jr.Stack(jr.interop.flax.as_cell(nn.Dense(5)), jr.LSTM(4))
      >>> params = model.init(jax.random.key(0), 3)
      >>> jr.unroll(model, params, jnp.ones((7, 2, 3)))[1].shape
      (7, 2, 4)
    """
    from flax import linen, nnx

    family(module)
    if not isinstance(module, linen.RNNCellBase | nnx.RNNCellBase):
        return FlaxLayer(Held(module), rank=input_ndim)
    _check_recurrent(module, input_ndim)
    return FlaxCell(Held(module), rank=input_ndim)


class Held:
    """A module of Flax, equal to itself alone: one that holds arrays has no value."""

    def __init__(self, module: Any) -> None:
        self.module = module

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Held) and self.module is other.module

    def __hash__(self) -> int:
        return id(self.module)

    def __repr__(self) -> str:
        return type(self.module).__name__


class FlaxLayer(Memoryless):
    """A Flax module without memory: y = module(x).

    Args:
      held: the module, of linen or of nnx.
      rank: of one input of one row.

    Example:
      >>> import jaxrnn as jr
      >>> from flax import nnx
      >>> layer = jr.interop.flax.as_cell(nnx.Linear(3, 4, rngs=nnx.Rngs(0)))
      >>> params = layer.init(jax.random.key(0), 3)
      >>> jr.unroll(layer, params, jnp.ones((7, 2, 3)))[1].shape
      (7, 2, 4)
    """

    held: Held
    rank: Any = 1

    @property
    def input_ndim(self) -> Any:  # type: ignore[override]
        return self.rank

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        x = jnp.zeros((1, *_shape(input_size)), _kind(self))
        return _init(self.held.module, key, (x,), _mode(self.held.module, None))

    def project(self, ready: PyTree, x: Array, *, key: Key | None = None) -> Array:
        leading = x.shape[: x.ndim - self.rank]
        rows = x.reshape(-1, *x.shape[len(leading) :])
        y = _apply(self.held.module, ready, (rows,), _mode(self.held.module, key), key)
        return y.reshape(*leading, *y.shape[1:])


class FlaxCell(Cell):
    """A recurrent cell of Flax: (carry, y) = module(carry, x).

    Args:
      held: the module, an `RNNCellBase` of linen or of nnx.
      rank: of one input of one row.

    Example:
      >>> import jaxrnn as jr
      >>> from flax import linen as nn
      >>> cell = jr.interop.flax.as_cell(nn.MGUCell(4))
      >>> params = cell.init(jax.random.key(0), 3)
      >>> jr.unroll(cell, params, jnp.ones((7, 2, 3)))[1].shape
      (7, 2, 4)
    """

    held: Held
    rank: Any = 1

    @property
    def input_ndim(self) -> Any:  # type: ignore[override]
        return self.rank

    def init(self, key: Key, input_size: Size | None = None) -> PyTree:
        x = jnp.zeros(_shape(input_size), _kind(self))
        carry = _first_carry(self.held.module, x.shape)
        return _init(self.held.module, key, (carry, x), {})

    def prepare(
        self,
        params: PyTree,
        *,
        input_shape: Shape | None = None,
        key: Key | None = None,
        context: PyTree = None,
    ) -> PyTree:
        ready = cast(params, self.dtype)
        shape = (1,) * self.rank if input_shape is None else input_shape
        row = shape[len(shape) - self.rank :]  # a carry may be as large as an image
        return ready, zeros(ready, row)

    def initial_carry(self, ready: PyTree, batch_shape: Shape) -> PyTree:
        _, row = ready
        carry = _first_carry(self.held.module, (*batch_shape, *row.shape))
        return jax.tree.map(lambda leaf: leaf.astype(row.dtype), carry)

    def recur(self, ready: PyTree, carry: PyTree, z: PyTree) -> tuple[PyTree, PyTree]:
        return _apply(self.held.module, ready[0], (carry, z), {}, None)

    def hidden(self, carry: PyTree) -> Array:
        return carry[-1] if isinstance(carry, tuple) else carry

    def with_hidden(self, carry: PyTree, hidden: Array) -> PyTree:
        return (*carry[:-1], hidden) if isinstance(carry, tuple) else hidden


def _shape(input_size: Size | None) -> Shape:
    if input_size is None:
        return ()
    return input_size if isinstance(input_size, tuple) else (input_size,)


def _kind(cell: Any) -> Any:
    return jnp.int32 if cell.rank == 0 else jnp.float32


def _check_recurrent(module: Any, input_ndim: int) -> None:
    from flax import nnx

    name = type(module).__name__
    inside = [part for _, part in nnx.iter_graph(module)]
    noisy = any(hasattr(part, "deterministic") for part in inside)
    told = [*_mode(module, None)] or ["deterministic"] * noisy
    if told:
        raise ValueError(
            f"{name} is to be told `{told[0]}`, which no step tells it: put noise "
            "around it, as jaxrnn.VariationalDropout"
        )
    if module.num_feature_axes != input_ndim:
        raise ValueError(
            f"`input_ndim` must be {module.num_feature_axes} for {name}, got "
            f"{input_ndim}"
        )


def _mode(module: Any, key: Key | None) -> dict[str, bool]:
    """What a module's call wants to be told: whether it is training."""
    wanted = inspect.signature(type(module).__call__).parameters
    told = {"deterministic": key is None, "train": key is not None}
    return {name: value for name, value in told.items() if name in wanted}


def _first_carry(module: Any, shape: Shape) -> PyTree:
    if family(module) == "linen":
        return module.initialize_carry(jax.random.key(0), shape)
    from flax import nnx

    return module.initialize_carry(shape, nnx.Rngs(0))


def _init(module: Any, key: Key, inputs: tuple, mode: dict[str, bool]) -> PyTree:
    if family(module) == "linen":
        return _only_params(module, module.init(key, *inputs, **mode))
    from flax import nnx

    parts: Any = nnx.split(module, nnx.Param, nnx.RngState, ...)
    other = {type(kept).__name__ for _, kept in nnx.to_flat_state(parts[3])}
    _refuse_state(module, sorted(other))
    return nnx.to_pure_dict(parts[1])


def _only_params(module: Any, variables: Mapping[str, Any]) -> PyTree:
    _refuse_state(module, [name for name in variables if name != "params"])
    return variables.get("params", {})


def _refuse_state(module: Any, names: list[str]) -> None:
    if names:
        other = ", ".join(f"`{name}`" for name in names)
        raise ValueError(
            f"{type(module).__name__} keeps {other} beside its parameters, which no "
            "cell can keep for it"
        )


def _apply(
    module: Any, params: PyTree, inputs: tuple, mode: dict[str, bool], key: Key | None
) -> Any:
    if family(module) == "linen":
        rngs = {} if key is None else {"dropout": key}
        return module.apply({"params": params}, *inputs, rngs=rngs, **mode)
    from flax import nnx

    parts: Any = nnx.split(module, nnx.Param, ...)
    graph, state, rest = parts
    nnx.replace_by_pure_dict(state, params)
    rest = jax.tree.map(lambda leaf: leaf, rest)  # of its own, to be seeded anew
    whole = nnx.merge(graph, state, rest)
    (whole.eval if key is None else whole.train)()
    if key is not None:
        nnx.reseed(whole, default=key, dropout=key)
    return whole(*inputs, **mode)
