"""What a graph has done to its input so far."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxrnn.combine import Stack
from jaxrnn.interop.onnx.forms import Model


class Chain(NamedTuple):
    """What has been done to the input so far.

    Attributes:
      layers: the cells and their parameters, first to last.
      axes: of the value, a letter each: 0 and 1, the first two of the input, of which
        one is time; d, the directions; f, the features.
    """

    layers: tuple[Model, ...]
    axes: str

    def then(self, *layer: Any, axes: str | None = None) -> "Chain":
        """With one more layer, or none, and other axes."""
        axes = self.axes if axes is None else axes
        return Chain((*self.layers, *((layer,) if layer else ())), axes)

    def follows(self, other: "Chain") -> bool:
        """Whether it begins with the very layers of the other."""
        pairs = zip(self.layers, other.layers, strict=False)
        return all(mine is theirs for mine, theirs in pairs)

    def ending(self, *layer: Any, axes: str | None = None) -> "Chain":
        """With another last layer."""
        return Chain(self.layers[:-1], self.axes).then(*layer, axes=axes)


def stacked(layers: Sequence[Model]) -> Model:
    """One layer as it is, several as a `Stack`."""
    if len(layers) == 1:
        return layers[0]
    cells, params = zip(*layers, strict=True)
    return Stack(*cells), params
