"""Cells from cells. They see the cells inside only through the contract."""

from jaxrnn.combine.batch_norm import BatchNorm as BatchNorm
from jaxrnn.combine.batch_statistics import batch_statistics as batch_statistics
from jaxrnn.combine.bidirectional import Bidirectional as Bidirectional
from jaxrnn.combine.bidirectional import BidirectionalCarry as BidirectionalCarry
from jaxrnn.combine.highway import Highway as Highway
from jaxrnn.combine.learned_carry import LearnedCarry as LearnedCarry
from jaxrnn.combine.residual import Residual as Residual
from jaxrnn.combine.reverse import Reverse as Reverse
from jaxrnn.combine.skip_through_time import SkipCarry as SkipCarry
from jaxrnn.combine.skip_through_time import SkipThroughTime as SkipThroughTime
from jaxrnn.combine.stack import Stack as Stack
from jaxrnn.combine.tied import Tied as Tied
from jaxrnn.combine.variational_dropout import VariationalDropout as VariationalDropout
from jaxrnn.combine.weight_drop import WeightDrop as WeightDrop
from jaxrnn.combine.weight_noise import WeightNoise as WeightNoise
from jaxrnn.combine.zoneout import Zoneout as Zoneout
