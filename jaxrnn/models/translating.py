"""Translations of a trained translator, with what it looked at."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn import checks
from jaxrnn.attention import Attend
from jaxrnn.data import Batch, Vocabulary, gather
from jaxrnn.models.translator import END
from jaxrnn.seq2seq import Decoded, EncoderDecoder, beam_search
from jaxrnn.typing import Array, PyTree

# Sources are padded to multiples of so many characters: each shape compiles anew.
ROOM = 16


class Translation(NamedTuple):
    """What a translator makes of a source.

    Attributes:
      text: the translation.
      score: log p(text), the end included.
      finished: whether the text ended by itself, or was cut at its longest.
      alignment: `[len(text) + 1, len(source)]`, where each character and the end came
        from, rows that sum to 1; without the end where it was cut; None without
        attention.
    """

    text: str
    score: float
    finished: bool
    alignment: Array | None


def translate(
    model: EncoderDecoder,
    params: PyTree,
    vocabulary: Vocabulary,
    texts: Sequence[str],
    *,
    beam: int = 8,
    nbest: int = 1,
    longest: int | None = None,
    batch_size: int = 256,
) -> list[list[Translation]]:
    """Translates texts, each by a beam search of its own.

    Args:
      model: of `translator`.
      params: of the model.
      vocabulary: of `translator_vocabulary`, the one that it was trained with.
      texts: what to translate, none of them empty.
      beam: the translations that are kept on the way; 1 takes the likeliest character
        each time.
      nbest: how many to return, at most `beam`.
      longest: of a translation, in characters, the end included; None: at least twice
        its source's and 32.
      batch_size: texts at a time.

    Returns:
      The `nbest` translations of each text, the best first; fewer where there are not
      as many.

    Raises:
      ValueError: a text is empty or has a character that the vocabulary lacks; or the
        vocabulary is not the model's.

    Example:
      >>> import jax
      >>> from jaxrnn.models import TranslatorConfig, translator
      >>> model = translator(TranslatorConfig(hidden_size=8), 4)
      >>> params = model.init(jax.random.key(0))
      >>> [[found]] = translate(model, params, Vocabulary("\\nabc"), ["abba"], beam=2)
      >>> found.alignment.shape == (len(found.text) + found.finished, 4)
      True
    """
    _check_vocabulary(model, vocabulary)
    checks.positive(batch_size=batch_size)
    if longest is not None:
        checks.positive(longest=longest)
    if isinstance(texts, str):
        raise TypeError(f"`texts` must be a sequence of strings, got {texts!r}")
    for place, text in enumerate(texts):
        if not text:
            raise ValueError(f"`texts` must not be empty, got '' at position {place}")
    sources = [vocabulary.encode(text) for text in texts]
    found: list[list[Translation]] = [[] for _ in texts]
    for xs, lengths, rows in _batches(sources, min(batch_size, len(texts))):
        search = beam_search(
            model,
            params,
            jnp.zeros(len(rows), jnp.int32),
            beam=beam,
            nbest=nbest,
            steps=2 * len(xs) + 2 * ROOM if longest is None else longest,
            end=0,
            context={"source": xs.T, "lengths": lengths},
            collect=_collect(model),
        )
        decoded = jax.device_get(search)
        for place, row in enumerate(rows):
            if row >= 0:
                found[row] = [*_told(decoded, place, len(sources[row]), vocabulary)]
    return found


def _batches(sources: Sequence[np.ndarray], size: int) -> Iterator[Batch]:
    """Sources of similar lengths together, in shapes that other calls have too."""
    rooms = [-(-len(source) // ROOM) * ROOM for source in sources]
    for room in sorted(set(rooms)):
        members = [row for row, own in enumerate(rooms) if own == room]
        for start in range(0, len(members), size):
            rows = np.full(size, -1)
            chunk = members[start : start + size]
            rows[: len(chunk)] = chunk
            yield Batch(*gather(sources, rows, length=room), rows)


def _collect(model: EncoderDecoder) -> Callable[[PyTree], Array] | None:
    """What reads the alignment out of the decoder's carry; None without attention."""
    layers = model.cell.cells  # type: ignore[attr-defined]
    places = [i for i, layer in enumerate(layers) if isinstance(layer, Attend)]
    return _alignment_of(places[-1]) if places else None


@functools.cache
def _alignment_of(place: int) -> Callable[[PyTree], Array]:
    return lambda carry: carry[place].alignment


def _told(
    decoded: Decoded, place: int, source_length: int, vocabulary: Vocabulary
) -> Iterator[Translation]:
    """The hypotheses of a row, in words."""
    for n, score in enumerate(decoded.scores[place]):
        if np.isneginf(score):
            return
        length, ended = decoded.lengths[place, n], bool(decoded.finished[place, n])
        text = vocabulary.decode(decoded.ids[: length - ended, place, n])
        alignment = decoded.collected
        if alignment is not None:
            alignment = alignment[:length, place, n, :source_length]
        yield Translation(text, float(score), ended, alignment)


def _check_vocabulary(model: EncoderDecoder, vocabulary: Vocabulary) -> None:
    known = model.encoder.cells[0].vocab_size  # type: ignore[attr-defined]
    if len(vocabulary) != known:
        raise ValueError(
            f"`vocabulary` must hold the {known} characters that the model was made "
            f"for, got {len(vocabulary)}"
        )
    if vocabulary.characters[0] != END:
        raise ValueError(
            f"`vocabulary` must begin with the end mark {END!r}, as that of "
            f"`translator_vocabulary` does, got {vocabulary.characters[0]!r}"
        )
