"""The libraries on one row: do they compute the same, and how long do they take?"""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np

from benchmarks.machine import interleaved, median, product_rate
from benchmarks.peers.libraries import LIBRARIES, Library
from benchmarks.peers.peer import Peer, Ready, TorchPeer
from benchmarks.peers.work import Row
from jaxrnn.typing import PyTree

# GPUs round the factors of float32 products to ten bits unless told otherwise.
TOLERANCE = {"cpu": 1e-4}
PAUSE = 0.02
OWN = LIBRARIES[0]


@dataclasses.dataclass
class Result:
    """What was found on one row.

    Args:
      row: which.
      errors: by library, the largest relative error of outputs and of gradients.
      seconds: by mode ("forward", "train") and library, of each repetition.
      peak: operations a second of the fastest product.
    """

    row: Row
    errors: dict[str, tuple[float, float]]
    seconds: dict[str, dict[str, list[float]]]
    peak: float

    def times(self, mode: str) -> dict[str, float]:
        """The median seconds of each library."""
        return {name: median(each) for name, each in self.seconds[mode].items()}

    def with_peak(self, peak: float) -> "Result":
        """The same beside a product of another kind, if that was faster."""
        return dataclasses.replace(self, peak=max(peak, self.peak))

    def as_json(self) -> dict[str, Any]:
        """Everything, in JSON's own types."""
        operations = {
            mode: self.row.operations(train=mode == "train") for mode in self.seconds
        }
        return {
            "network": self.row.network.name,
            **self.row.shape._asdict(),
            "operations": operations,
            "operations_per_second_of_products": self.peak,
            "relative_errors": self.errors,
            "seconds": self.seconds,
        }


def entrants(row: Row, libraries: Iterable[Library]) -> dict[str, Peer | TorchPeer]:
    """The libraries that have such a network, jaxrnn first."""
    built = {library.name: library.build(row) for library in (OWN, *libraries)}
    return {name: peer for name, peer in built.items() if peer is not None}


def measure(
    row: Row,
    libraries: Iterable[Library],
    *,
    repeats: int,
    lasting: float = 0.03,
    tell: Callable[[str], Any] = lambda doing: None,
) -> Result:
    """Check one row, then take its times, all libraries in turn.

    Args:
      row: which.
      libraries: which.
      repeats: how many times each library's turn comes.
      lasting: the seconds that a turn lasts at least.
      tell: called with what is being done.
    """
    tell("compiling")
    peers = entrants(row, libraries)
    params, xs = row.params(), row.inputs()
    ready = {name: peer.ready(params, xs) for name, peer in peers.items()}
    errors = check(row, peers, ready)
    seconds = {}
    for mode in ("forward", "train"):
        tell(mode)
        runs = [getattr(one, mode) for one in ready.values()]
        found = interleaved(runs, repeats=repeats, lasting=lasting, pause=PAUSE)
        seconds[mode] = dict(zip(ready, found, strict=True))
    return Result(row, errors, seconds, product_rate(row.products()))


def check(
    row: Row, peers: dict[str, Peer | TorchPeer], ready: dict[str, Ready]
) -> dict[str, tuple[float, float]]:
    """The largest relative errors of each library's outputs and gradients.

    A gradient is taken back to jaxrnn's parameters by the transpose of what filled the
    library's own.

    Raises:
      ArithmeticError: for a library that does not compute what jaxrnn computes.
    """
    errors: dict[str, tuple[float, float]] = {}
    limit = TOLERANCE.get(jax.default_backend(), 1e-2)
    params, expected = row.params(), {(): answer(ready[OWN.name])}
    others = {name: peer for name, peer in peers.items() if name != OWN.name}
    for name, peer in others.items():
        if peer.without not in expected:
            less = zeroed(params, peer.without)
            own = answer(peers[OWN.name].ready(less, row.inputs()))
            expected[peer.without] = own[0], zeroed(own[1], peer.without)
        outputs, gradient = answer(ready[name])
        back = jax.jit(lambda p, own, fill=peer.fill: jax.vjp(fill, p)[1](own)[0])
        found = outputs, back(params, gradient)
        differences = jax.tree.map(relative_error, found, expected[peer.without])
        of_gradients = np.max(jax.tree.leaves(differences[1]))  # also tells NaN
        errors[name] = differences[0], float(of_gradients)
        if not all(error <= limit for error in errors[name]):
            raise ArithmeticError(
                f"{name} and jaxrnn differ on {row}, by (outputs, gradients) "
                f"{errors[name]}; at most {limit:g} is allowed"
            )
    return errors


def answer(ready: Ready) -> tuple[np.ndarray, PyTree]:
    """The outputs, and the gradient."""
    return ready.outputs(ready.forward()), ready.gradient(ready.train())


def zeroed(params: PyTree, names: tuple[str, ...]) -> PyTree:
    """The parameters, those of some names zero."""
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf * (getattr(path[-1], "key", None) not in names), params
    )


def relative_error(found: Any, expected: Any) -> float:
    """The largest difference, as a part of the largest value; both zero: 0."""
    found, expected = np.asarray(found), np.asarray(expected)
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-30))
