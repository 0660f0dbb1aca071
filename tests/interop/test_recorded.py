"""What the peers once gave, we give: `python -m interop.record` asks them again."""

import functools

import numpy as np
import pytest

from interop.compare import agrees
from interop.peers.run import Run
from interop.record import FILES, FOLDER, peer_of
from laws.harness import same_bits

# The others run with the peers themselves, in test_live.py.
DEFAULT = {
    "torch": ("gru",),
    "keras": ("gru_before",),
    "haiku": ("lstm",),
    "equinox": ("gru",),
    "flax": ("nnx_optimized",),
}
MADE_BY_THEM = ("torch", "equinox")  # what `write` returns
PAIRS = [(name, case) for name in FILES for case in peer_of(name).CASES]
every_case = pytest.mark.parametrize(
    "name, case",
    [
        pytest.param(
            name,
            case,
            id=f"{name}-{case.name}",
            marks=() if case.name in DEFAULT[name] else pytest.mark.slow,
        )
        for name, case in PAIRS
    ],
)


@functools.cache
def recorded(name):
    with np.load(FOLDER / f"{name}.npz") as file:
        return dict(file)


def run_of(name, case):
    prefix = f"{case.name}:"
    own = {k: a for k, a in recorded(name).items() if k.startswith(prefix)}
    return Run.of({key.removeprefix(prefix): a for key, a in own.items()})


@every_case
def test_outputs_states_and_gradients_are_those_of_the_peer(name, case):
    peer = peer_of(name)
    agrees(peer, case, run_of(name, case), getattr(peer, "TOLERANCE", 1e-10))


@pytest.mark.parametrize(
    "name, case",
    [
        pytest.param(
            name,
            case,
            id=f"{name}-{case.name}",
            marks=pytest.mark.parity if name in MADE_BY_THEM else (),
        )
        for name, case in PAIRS
    ],
)
def test_weights_come_back_as_they_went_in(name, case):
    if name in MADE_BY_THEM:
        pytest.importorskip(name)
    peer, run = peer_of(name), run_of(name, case)
    written = peer.write(case, *peer.read(case, run.weights))
    kept = {key: array for key, array in written.items() if key in run.weights}
    same_bits(kept, run.weights)
    added = written.keys() - run.weights.keys()  # biases that the peer can leave out
    assert not any(np.any(written[key]) for key in added)
