"""How much of a gradient comes from how far back."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.gradflow.observe import Place, Recurrence, Taps
from jaxrnn.gradflow.sizes import joint_size, labels, size
from jaxrnn.gradflow.steps import Leaves, back_through, earlier, only, own_signals
from jaxrnn.gradflow.tapped import moving
from jaxrnn.typing import Array


class Distances(NamedTuple):
    """The gradient of a recurrence's weights, split by distance.

    ::

      dL/dW = sum_k G_k,   G_k = sum_t dL/dy_t dy_t/dc_{t-k} d+c_{t-k}/dW

    d+ is what a weight does within one step, and dL/dy_t counts what else reads the
    output, layers above included: G_k says what the weights of step t - k did to the
    output of step t.

    Attributes:
      norms: for each weight `[K]`, the norm of G_k, k = 0 .. K - 1.
      shares: for each weight `[K]`, G_k . G / G . G with G = dL/dW: they add up to 1
        over all distances.
      reach: `[K]`, what is left of the error signals k steps back, ||dL_t/dc_{t-k}|| /
        ||dL_t/dc_t|| with L_t what the output of step t does, over all t that have so
        many steps before them; NaN where none has. Where an output is not computed from
        the state that its step leaves, but from c_{t-1}, that is what is compared with.
        Padded steps count as steps back, and take nothing away: with holes in the mask
        a signal has gone over fewer real steps than k.
    """

    norms: dict[str, Array]
    shares: dict[str, Array]
    reach: Array


def split(place: Place, note: Recurrence, gradient: Taps, *, count: int) -> Distances:
    """The split of a recurrence's gradient.

    Args:
      place: which recurrence.
      note: what it did.
      gradient: of its taps, steps in the order of the note.
      count: K.
    """
    total = moving(gradient.ready)

    def kept(part: Leaves) -> Any:
        shares = [_share(a, b) for a, b in zip(part, total, strict=True)]
        return [size(a) for a in part], shares

    (norms, shares), reach = by_distance(
        place, note, gradient.output, kept=kept, count=count
    )
    names = labels(note.ready, "weight")
    named = lambda arrays: OrderedDict(zip(names, arrays, strict=True))
    return Distances(named(norms), named(shares), reach)


def by_distance(
    place: Place,
    note: Recurrence,
    doutput: Any,
    *,
    kept: Callable[[Leaves], Any],
    count: int,
) -> tuple[Any, Array]:
    """`kept(G_k)` and the reach, stacked over k.

    An error signal starts at an output and goes back step by step. All signals go at
    once, each k steps behind its start, and with each goes how large it was there.
    """
    back, outputs = back_through(place.cell, note), moving(doutput)
    zeros = lambda leaves: jax.tree.map(jnp.zeros_like, leaves)
    nothing = zeros(moving(note.before)), zeros(outputs)
    dW, dbefore = back(nothing[0], outputs)
    goes_on = None if note.begins is None else ~note.begins
    before = lambda starts: earlier(only(goes_on, [starts]))[0]
    starts = joint_size(own_signals(place.cell, note, outputs), place.leading)
    starts = jnp.where(starts > 0, starts, joint_size(dbefore, place.leading))

    def farther(state: tuple[Leaves, Array], _: None) -> tuple[Any, Any]:
        signal, starts = state
        dW, dbefore = back(signal, nothing[1])
        left = joint_size(only(note.real, signal))
        of = joint_size(only(note.real, [starts]))
        reach = jnp.where(of > 0, left / of, jnp.nan)
        return (earlier(dbefore), before(starts)), (kept(dW), reach)

    state = earlier(dbefore), before(starts)
    _, rest = jax.lax.scan(farther, state, length=count - 1)
    first = kept(dW), jnp.where(jnp.any(starts > 0), 1, jnp.nan).astype(starts.dtype)
    return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), first, rest)


def _share(part: Array, total: Array) -> Array:
    """part . total / total . total, or 0."""
    top = jnp.max(jnp.abs(total), initial=0)
    unit = jnp.where(top > 0, top, 1)
    part, total = (a / unit.astype(a.dtype) for a in (part, total))
    product = lambda a: jnp.sum(jnp.real(a * jnp.conj(total)))
    return product(part) / jnp.maximum(product(total), 1e-30)
