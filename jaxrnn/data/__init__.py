"""Real sequences as NumPy arrays, ready to train on; it knows no JAX and no model."""

from jaxrnn.data.batches import Batch as Batch
from jaxrnn.data.batches import batches as batches
from jaxrnn.data.buckets import bucket_boundaries as bucket_boundaries
from jaxrnn.data.forms import LANGUAGES as LANGUAGES
from jaxrnn.data.padding import gather as gather
from jaxrnn.data.padding import pad as pad
from jaxrnn.data.padding import unpad as unpad
from jaxrnn.data.pair_batches import PairBatch as PairBatch
from jaxrnn.data.pair_batches import pair_batches as pair_batches
from jaxrnn.data.pairs import Corpus as Corpus
from jaxrnn.data.pairs import Pair as Pair
from jaxrnn.data.pairs import read_pairs as read_pairs
from jaxrnn.data.pairs import split_pairs as split_pairs
from jaxrnn.data.pairs import tidy as tidy
from jaxrnn.data.streams import Streams as Streams
from jaxrnn.data.streams import Window as Window
from jaxrnn.data.text import python_docs as python_docs
from jaxrnn.data.text import read_text as read_text
from jaxrnn.data.text import split as split
from jaxrnn.data.vocabulary import Vocabulary as Vocabulary
from jaxrnn.data.written import asking as asking
from jaxrnn.data.written import written as written
