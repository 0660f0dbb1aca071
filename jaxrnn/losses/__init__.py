"""Losses of single steps, and the one way in which they become a number.

A loss is any function `(y, target) -> [..., *batch]` of arrays whose leading axes are
time and batch. It knows neither masks nor averages: `reduce` does.
"""

from jaxrnn.losses.cross_entropy import cross_entropy as cross_entropy
from jaxrnn.losses.ctc import CTC as CTC
from jaxrnn.losses.ctc import ctc_loss as ctc_loss
from jaxrnn.losses.distance import huber as huber
from jaxrnn.losses.distance import squared_error as squared_error
from jaxrnn.losses.penalties import activation_penalty as activation_penalty
from jaxrnn.losses.penalties import temporal_penalty as temporal_penalty
from jaxrnn.losses.reduce import reduce as reduce
