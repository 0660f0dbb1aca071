"""Scores of a memory, and the contexts that a cell reads from it."""

from jaxrnn.attention.attend import Attend as Attend
from jaxrnn.attention.attend import AttendCarry as AttendCarry
