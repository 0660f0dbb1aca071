"""Numbers over many batches, exact however the batches are cut.

A metric is a small tree of arrays. It begins as `empty`; `update` returns it with one
more batch, under jit as well; `merge` joins those of several loops or machines; `value`
is the number. A validation for `fit`::

  def validate(params):
      accuracy = Accuracy.empty()
      for batch in batches:
          accuracy = update(accuracy, params, batch)  # jitted
      return {"error": 1 - accuracy.value()}  # the lowest is the best
"""

from jaxrnn.training.metrics.edit_distance import EditDistance as EditDistance
from jaxrnn.training.metrics.edit_distance import edit_distance as edit_distance
from jaxrnn.training.metrics.f1 import F1 as F1
from jaxrnn.training.metrics.mean import Accuracy as Accuracy
from jaxrnn.training.metrics.mean import Mean as Mean
from jaxrnn.training.metrics.mean import Perplexity as Perplexity
from jaxrnn.training.metrics.total import Total as Total
