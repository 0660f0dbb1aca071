"""From one sequence to another: encoder-decoders, and how they are decoded."""

from jaxrnn.seq2seq.encoder_decoder import EncoderDecoder as EncoderDecoder
from jaxrnn.seq2seq.generate import generate as generate
from jaxrnn.seq2seq.samplers import Sampler as Sampler
from jaxrnn.seq2seq.samplers import greedy as greedy
