"""How gradients flow through time: what to look at when a network does not learn."""

from jaxrnn.gradflow.distances import Distances as Distances
from jaxrnn.gradflow.flow import GradientFlow as GradientFlow
from jaxrnn.gradflow.flow import LayerFlow as LayerFlow
from jaxrnn.gradflow.gates import Saturation as Saturation
from jaxrnn.gradflow.jacobians import jacobians as jacobians
from jaxrnn.gradflow.lyapunov import lyapunov_exponents as lyapunov_exponents
from jaxrnn.gradflow.measure import measure as measure
from jaxrnn.gradflow.omega import omega as omega
from jaxrnn.gradflow.spectra import Spectra as Spectra
from jaxrnn.gradflow.spectra import spectral_radius as spectral_radius
from jaxrnn.gradflow.updates import clip_factors as clip_factors
from jaxrnn.gradflow.updates import update_ratios as update_ratios
