"""What one look at the gradients of a model finds."""

from typing import TYPE_CHECKING, NamedTuple

from jaxrnn.gradflow.distances import Distances
from jaxrnn.gradflow.gates import Saturation
from jaxrnn.gradflow.picture import picture
from jaxrnn.gradflow.spectra import Spectra
from jaxrnn.gradflow.verdict import verdict
from jaxrnn.typing import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class LayerFlow(NamedTuple):
    """The gradients of one recurrence; steps stand in input order.

    Attributes:
      norms: for each field of the carry `[T, *batch]`, ||dL/dc_t||: through the output
        of step t and all later steps. 0 at padded steps. Empty where no field holds
        floating numbers.
      output: `[T, *batch]`, ||dL/dy_t|| of its output.
      weights: the norm of the gradient of each weight, as prepared for the steps.
      distances: the split of these gradients by distance; empty where `norms` is.
      spectra: of the step Jacobians; None where none were asked for.
      gates: the saturation of each gate by name; empty of cells without gates. Gates
        are the factors of a step that its equations confine to [0, 1]: under
        activation="sigmoid" those of the activation too, and all by number.
    """

    norms: dict[str, Array]
    output: Array
    weights: dict[str, Array]
    distances: Distances
    spectra: Spectra | None
    gates: dict[str, Saturation]


class GradientFlow(NamedTuple):
    """How the gradients of a model flow through time, as plain arrays.

    Attributes:
      loss: a scalar.
      layers: each recurrence by name: its place in the containers, its type, and its
        direction, such as "1.0 LSTM" or "1.1 GRU backward".
      lengths: `[*batch]`, the real steps of each row.
      thresholds: a gate is closed below the first, open above the second.
    """

    loss: Array
    layers: dict[str, LayerFlow]
    lengths: Array
    thresholds: Array

    def __str__(self) -> str:
        return self.verdict()

    def verdict(self) -> str:
        """What is wrong, if anything is, in words: a line a layer, and what helps."""
        return verdict(self)

    def plot(self) -> "Figure":
        """The picture, a row a layer; a matplotlib `Figure` that no window knows of."""
        return picture(self)
