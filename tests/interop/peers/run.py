"""What a peer's run of one model is, and what it is compared with."""

import dataclasses
from typing import Any

import jax
import numpy as np

T, B, N, H = 6, 4, 3, 5  # unlike one another
LENGTHS = np.array([6, 1, 4, 2])
Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Case:
    """One model of a peer.

    Attributes:
      name: of the case.
      kind: the peer's name of the module.
      options: of the module.
      cell: what `read` should make of it.
      told: whether the weights alone do not tell it, so that `read` is given `cell`.
      lengths: `[B]`: rows end early.
    """

    name: str
    kind: str
    cell: Any
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    told: bool = False
    lengths: Any = None


@dataclasses.dataclass(frozen=True)
class Run:
    """Inputs and outcome of one run, time first; states as the peer orders them.

    The loss is sum(push * ys) + sum(pull * end), over real steps; `d_` is its gradient.
    """

    weights: Arrays
    xs: np.ndarray
    start: list[np.ndarray]
    push: np.ndarray
    pull: list[np.ndarray]
    ys: Any = None
    end: Any = None
    d_weights: Any = None
    d_xs: Any = None
    d_start: Any = None

    def done(self, ys: Any, end: Any, grads: tuple) -> "Run":
        """This run with its outcomes; `grads` are of weights, inputs and states."""
        d_weights, d_xs, d_start = jax.tree.map(np.asarray, grads)
        return dataclasses.replace(
            self,
            ys=np.asarray(ys),
            end=list(map(np.asarray, end)),
            d_weights=d_weights,
            d_xs=d_xs,
            d_start=d_start,
        )

    def arrays(self) -> Arrays:
        """Everything as arrays by name, for a file."""
        flat: Arrays = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, list):
                value = {f"{index}": array for index, array in enumerate(value)}
            value = value if isinstance(value, dict) else {"": value}
            flat |= {f"{field.name}:{name}": array for name, array in value.items()}
        return flat

    @staticmethod
    def of(flat: Any) -> "Run":
        """The inverse of `arrays`."""
        values: dict[str, Any] = {}
        for key in flat:
            field, _, name = key.partition(":")
            values.setdefault(field, {})[name] = flat[key]
        for name, value in values.items():
            if name in ("start", "pull", "end", "d_start"):
                values[name] = [value[f"{index}"] for index in range(len(value))]
            elif set(value) == {""}:
                values[name] = value[""]
        return Run(**values)


def draw(
    shapes: dict[str, tuple], states: list[tuple], out: int, seed: int, dtype: Any
) -> Run:
    """Random weights, biases, inputs, states and cotangents of these shapes."""
    rng = np.random.default_rng(seed)
    normal = lambda *shape: rng.normal(scale=0.5, size=shape).astype(dtype)
    return Run(
        weights={name: normal(*shape) for name, shape in shapes.items()},
        xs=normal(T, B, N),
        start=[normal(*shape) for shape in states],
        push=normal(T, B, out),
        pull=[normal(*shape) for shape in states],
    )
