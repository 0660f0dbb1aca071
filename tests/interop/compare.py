"""What we make of a peer's run: the same outputs, states and gradients."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxrnn as jr
from interop.peers.run import Case, Run
from laws.harness import close


def biased(case: Case) -> bool:
    return case.options.get("use_bias", case.options.get("bias", True))


def ours(peer: Any, case: Case, given: Run) -> Run:
    """The same run by our engine; `d_weights` is a tree of our parameters."""
    cell, params = peer.read(case, given.weights)
    assert cell == case.cell
    enter = lambda arrays: peer.interop.read_carry(cell, peer.states(case, arrays))
    pull = enter(given.pull)

    def loss(params: Any, xs: Any, start: Any) -> Any:
        end, ys = jr.unroll(cell, params, xs, start, lengths=case.lengths)
        pulled = jax.tree.map(lambda e, p: jnp.sum(e * p), end, pull)
        return jnp.sum(ys * given.push) + sum(jax.tree.leaves(pulled)), (ys, end)

    start = enter(given.start)
    grads, (ys, end) = jax.grad(loss, (0, 1, 2), has_aux=True)(
        params, jnp.asarray(given.xs), start
    )
    leave = lambda carry: getattr(peer, "leave", peer.interop.write_carry)(cell, carry)
    return dataclasses.replace(
        given,
        ys=ys,
        end=leave(end),
        d_weights=grads[0],
        d_xs=grads[1],
        d_start=leave(grads[2]),
    )


def agrees(peer: Any, case: Case, theirs: Run, tolerance: float) -> None:
    """Outputs, final states and every gradient of both are equal."""
    own = ours(peer, case, theirs)
    same = lambda a, b: close(as_numpy(a), as_numpy(b), tolerance)
    same(own.ys, theirs.ys)
    same(leaves(own.end), leaves(theirs.end))
    same(own.d_xs, theirs.d_xs)
    same(leaves(own.d_start), leaves(theirs.d_start))
    _, gradient = peer.read(case, theirs.d_weights)
    missing = lacking(case)  # theirs has no gradient there
    same(without(own.d_weights, missing), without(gradient, missing))


def as_numpy(tree: Any) -> Any:
    return jax.tree.map(np.asarray, tree)


def leaves(states: Any) -> list[np.ndarray]:
    """All states side by side, in the peer's order."""
    flat = list(states) if isinstance(states, list | tuple) else [states]
    out: list[np.ndarray] = []
    for state in flat:
        out += leaves(state) if isinstance(state, list | tuple) else [np.asarray(state)]
    return out


def lacking(case: Case) -> str:
    """What the names of parameters that the peer does not have contain."""
    if not biased(case):
        return "bias"
    return "recurrent_bias" if case.name.startswith("nnx_gru") else "nothing"


def without(tree: Any, name: str) -> Any:
    """The tree with 0 for parameters whose names contain `name`."""
    last = lambda place: getattr(place[-1], "key", "")
    return jax.tree.map_with_path(
        lambda place, a: np.zeros(()) if name in last(place) else a, tree
    )
