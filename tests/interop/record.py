"""Writes what the peers gave, for machines that have none of them.

cd tests && python -m interop.record [torch keras ...]
"""

import importlib
import sys
import types
from pathlib import Path

import jax
import numpy as np

FILES = ("torch", "keras", "haiku", "equinox", "flax")
FOLDER = Path(__file__).parent / "recorded"


def peer_of(name: str) -> types.ModuleType:
    return importlib.import_module(f"interop.peers.{name}_peer")


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    for name in sys.argv[1:] or FILES:
        peer, arrays = peer_of(name), {}
        for case in peer.CASES:
            run = peer.run(case, peer.drawn(case))
            arrays |= {f"{case.name}:{key}": a for key, a in run.arrays().items()}
        np.savez_compressed(FOLDER / f"{name}.npz", **arrays)


if __name__ == "__main__":
    main()
