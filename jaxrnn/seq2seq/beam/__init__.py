"""Beam search: the loop, who goes on, what is found, and how it is read out."""

from jaxrnn.seq2seq.beam.search import beam_search as beam_search
