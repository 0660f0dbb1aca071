"""Files that are there as a whole or not at all, and models in them."""

from jaxrnn.files.arrays import arrays_in as arrays_in
from jaxrnn.files.model import load as load
from jaxrnn.files.model import save as save
from jaxrnn.files.whole import differences as differences
from jaxrnn.files.whole import sealed as sealed
from jaxrnn.files.whole import unsealed as unsealed
from jaxrnn.files.whole import write as write
