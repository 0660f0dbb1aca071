"""What the numbers of a `GradientFlow` say, in words."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from jaxrnn.gradflow.flow import GradientFlow, LayerFlow


_LOST = 1e-3
_KEPT = 0.5, 2.0  # what is left of a signal that keeps its size, about
_OFTEN = 0.1  # shares of gates that are worth a word
_MOST = 0.9

VANISH = "gates with an open forget gate, an orthogonal recurrent kernel, skips"
EXPLODE = "clipping, a smaller or an orthogonal recurrent kernel, normalisation"


class Fade(NamedTuple):
    """How an error signal changes on its way back.

    Attributes:
      rate: its factor a step.
      steps: over so many.
      left: what is left of it then.
    """

    rate: float
    steps: int
    left: float

    @property
    def shrinks(self) -> bool:
        return self.left <= _KEPT[0]

    @property
    def grows(self) -> bool:
        return self.left >= _KEPT[1]


def fade(reach: np.ndarray) -> Fade | None:
    """How a signal changes up to where less than 1e-3, or more than 1e3, is left of it.

    Args:
      reach: `[K]`, what is left k steps back; NaN where no signal gets to.

    Returns:
      None where there is nothing to compare.

    Example:
      >>> fade(0.5 ** np.arange(20.0))
      Fade(rate=0.5, steps=10, left=0.0009765625)
    """
    known = np.asarray(reach, np.float64)
    known = known[: np.argmax(np.isnan(known))] if np.isnan(known).any() else known
    if len(known) < 2:
        return None
    past = (known <= _LOST) | (known >= 1 / _LOST)
    steps = int(np.argmax(past)) if past.any() else len(known) - 1
    left = float(known[steps])
    return Fade(left ** (1 / steps), steps, left)


def verdict(flow: "GradientFlow") -> str:
    """What the numbers say: a line a layer, one of empty rows, and what helps.

    Args:
      flow: what `measure` found.
    """
    if not flow.layers:
        return "No layer has a memory: nothing flows through time."
    if not np.isfinite(flow.loss):
        return f"The loss is {float(flow.loss)}: its gradients say nothing."
    if not any(np.any(layer.output) for layer in flow.layers.values()):
        return "The loss is constant: no gradient reaches any layer."
    lines = [f"{name}: {_words(layer)}." for name, layer in flow.layers.items()]
    lengths = np.ravel(flow.lengths)
    if not lengths.all():
        lines.append(f"{(lengths == 0).sum()} of {len(lengths)} rows hold no step.")
    return "\n".join([*lines, *_advice(flow)])


def _words(layer: "LayerFlow") -> str:
    if not layer.norms:
        return "its carry holds no floating numbers, so no gradient flows through time"
    norms = list(map(np.asarray, layer.norms.values()))
    broken = [~np.isfinite(norm).reshape(len(norm), -1).all(axis=1) for norm in norms]
    if np.any(broken):
        last = int(np.flatnonzero(np.any(broken, axis=0))[-1])
        others = " and others" if np.sum(np.any(broken, axis=0)) > 1 else ""
        return f"gradients are not finite, at step {last}{others}"
    if not (np.any(layer.output) or any(map(np.any, norms))):
        return "no gradient reaches it"
    parts = [_of_time(layer), *_of_weights(layer), *_of_gates(layer)]
    return "; ".join(parts)


def _of_time(layer: "LayerFlow") -> str:
    if len(layer.output) == 1:
        return "there is one step, so nothing flows through time"
    found = fade(np.asarray(layer.distances.reach))
    if found is None:
        return "no error signal has a step before it, so nothing flows through time"
    rate, steps, left = found
    after = f"after {_steps(steps)}"
    if left == 0:
        return f"gradients are 0 {after}"
    factor = f"{rate:.2f}" if abs(rate - 1) >= 0.005 else f"{rate:.4f}"
    if found.shrinks:
        end = "below 1e-3 of the last" if left <= _LOST else f"{left:.2g} of the last"
        return f"gradients shrink by {factor} a step; {after} {end}"
    if found.grows:
        end = "above 1e3" if left >= 1 / _LOST else f"{left:.2g}"
        return f"gradients grow by {factor} a step; {after} {end} times the last"
    return f"gradients keep their size: {after} {left:.2g} of the last"


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"


def _of_weights(layer: "LayerFlow") -> Iterator[str]:
    name = recurrent_weight(layer)
    if name is None or len(layer.output) == 1:
        return
    shares = np.asarray(layer.distances.shares[name], np.float64)
    near = np.cumsum(shares)  # it may pass 1, where older steps take away again
    if not shares.any():
        return
    far = np.flatnonzero(np.abs(near - 1) > 1 - _MOST)
    steps = int(far[-1]) + 2 if len(far) else 1
    share = _MOST if steps <= len(near) else near[-1]
    last = "the last step" if steps == 1 else f"the last {min(steps, len(near))} steps"
    yield f"{100 * share:.0f} % of the gradient of {name} from {last}"


def recurrent_weight(layer: "LayerFlow") -> str | None:
    """The weight that meets the state, by its name; else that of largest gradient."""
    names = list(layer.weights)
    recurrent = [name for name in names if "recurrent_kernel" in name]
    by_size = sorted(names, key=lambda name: float(layer.weights[name]))
    return next(iter([*recurrent, *by_size[::-1]]), None)


def _of_gates(layer: "LayerFlow") -> Iterator[str]:
    for name, (closed, opened) in layer.gates.items():
        for share, state in ((closed, "closed"), (opened, "wide open")):
            if share >= _OFTEN:
                kind = name if name.startswith("gate ") else f"{name} gates"
                yield f"{float(share) * 100:.0f} % of {kind} {state}"


def _advice(flow: "GradientFlow") -> Iterator[str]:
    """What helps, of layers that learn: a window of inputs is to end."""
    learn = lambda layer: any(norm > 0 for norm in layer.weights.values())
    layers = filter(learn, flow.layers.values())
    fades = [fade(np.asarray(layer.distances.reach)) for layer in layers]
    if any(f is not None and f.grows for f in fades):
        yield f"What helps where they grow: {EXPLODE}."
    if any(f is not None and f.shrinks for f in fades):
        yield f"What helps where they shrink: {VANISH}."
