"""Cells from cells. They see the cells inside only through the contract."""

from jaxrnn.combine.bidirectional import Bidirectional as Bidirectional
from jaxrnn.combine.bidirectional import BidirectionalCarry as BidirectionalCarry
from jaxrnn.combine.learned_carry import LearnedCarry as LearnedCarry
from jaxrnn.combine.stack import Stack as Stack
