"""Cells: one family a file, its equations and parameters. They know nothing of time."""

from jaxrnn.cells.dense import Dense as Dense
from jaxrnn.cells.dense import Dropout as Dropout
from jaxrnn.cells.dense import Map as Map
from jaxrnn.cells.elman import Elman as Elman
from jaxrnn.cells.embed import Embed as Embed
from jaxrnn.cells.embed import OneHot as OneHot
from jaxrnn.cells.gru import GRU as GRU
from jaxrnn.cells.lstm import LSTM as LSTM
from jaxrnn.cells.lstm import LSTMCarry as LSTMCarry
from jaxrnn.cells.norm import LayerNorm as LayerNorm
