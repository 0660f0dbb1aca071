"""Scores of a memory, and the contexts that a cell reads from it."""

from jaxrnn.attention.additive import Additive as Additive
from jaxrnn.attention.additive import Concat as Concat
from jaxrnn.attention.attend import Attend as Attend
from jaxrnn.attention.attend import AttendCarry as AttendCarry
from jaxrnn.attention.attend import Seen as Seen
from jaxrnn.attention.attention import Attention as Attention
from jaxrnn.attention.attention import Look as Look
from jaxrnn.attention.coverage import coverage_loss as coverage_loss
from jaxrnn.attention.dot import Dot as Dot
from jaxrnn.attention.dot import General as General
from jaxrnn.attention.dot import ScaledDot as ScaledDot
from jaxrnn.attention.location import LocationAware as LocationAware
from jaxrnn.attention.monotonic import Monotonic as Monotonic
from jaxrnn.attention.multi_head import MultiHead as MultiHead
from jaxrnn.attention.picture import heat_map as heat_map
from jaxrnn.attention.picture import heat_text as heat_text
