"""From one sequence to another: encoder-decoders, and how they are decoded."""

from jaxrnn.seq2seq.beam import beam_search as beam_search
from jaxrnn.seq2seq.bridge import Bridge as Bridge
from jaxrnn.seq2seq.copy import Copy as Copy
from jaxrnn.seq2seq.decode import Decoded as Decoded
from jaxrnn.seq2seq.decode import decode as decode
from jaxrnn.seq2seq.encoder_decoder import EncoderDecoder as EncoderDecoder
from jaxrnn.seq2seq.generate import generate as generate
from jaxrnn.seq2seq.samplers import Sampler as Sampler
from jaxrnn.seq2seq.samplers import greedy as greedy
from jaxrnn.seq2seq.scheduled import OwnSymbols as OwnSymbols
from jaxrnn.seq2seq.scheduled import scheduled as scheduled
