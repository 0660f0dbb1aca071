"""Recurrent sequence models in JAX."""

from importlib.metadata import version as _version

from jaxrnn import initializers as initializers
from jaxrnn.cell import Cell as Cell
from jaxrnn.cell import Memoryless as Memoryless
from jaxrnn.cell import sequence_key as sequence_key
from jaxrnn.cells import GRU as GRU
from jaxrnn.cells import LSTM as LSTM
from jaxrnn.cells import Dense as Dense
from jaxrnn.cells import Dropout as Dropout
from jaxrnn.cells import Elman as Elman
from jaxrnn.cells import Embed as Embed
from jaxrnn.cells import LSTMCarry as LSTMCarry
from jaxrnn.cells import Map as Map
from jaxrnn.cells import OneHot as OneHot
from jaxrnn.combine import Bidirectional as Bidirectional
from jaxrnn.combine import BidirectionalCarry as BidirectionalCarry
from jaxrnn.combine import LearnedCarry as LearnedCarry
from jaxrnn.combine import Stack as Stack
from jaxrnn.losses import cross_entropy as cross_entropy
from jaxrnn.training.loss import unroll_loss as unroll_loss
from jaxrnn.training.tbptt import tbptt_loss as tbptt_loss
from jaxrnn.unroll import unroll as unroll

__version__ = _version("jaxrnn")
