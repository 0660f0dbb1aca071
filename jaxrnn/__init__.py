"""Recurrent sequence models in JAX."""

from importlib.metadata import version as _version

from jaxrnn import data as data
from jaxrnn import initializers as initializers
from jaxrnn import losses as losses
from jaxrnn import training as training
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
from jaxrnn.data import pad as pad
from jaxrnn.data import unpad as unpad
from jaxrnn.files import load as load
from jaxrnn.files import save as save
from jaxrnn.losses import cross_entropy as cross_entropy
from jaxrnn.product import affine as affine
from jaxrnn.product import matmul as matmul
from jaxrnn.summary import summary as summary
from jaxrnn.training import TrainState as TrainState
from jaxrnn.training import fit as fit
from jaxrnn.training import init_state as init_state
from jaxrnn.training import tbptt_loss as tbptt_loss
from jaxrnn.training import train_step as train_step
from jaxrnn.training import unroll_loss as unroll_loss
from jaxrnn.unroll import unroll as unroll

__version__ = _version("jaxrnn")
