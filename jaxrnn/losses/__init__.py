"""Losses of single steps, and the one way in which they become a number.

A loss is any function `(y, target) -> [..., *batch]` of arrays whose leading axes are
time and batch. It knows neither masks nor averages: `reduce` does.
"""

from jaxrnn.losses.cross_entropy import cross_entropy as cross_entropy
from jaxrnn.losses.reduce import reduce as reduce
