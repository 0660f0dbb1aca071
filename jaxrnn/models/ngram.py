"""The n-gram model of a text: what a recurrent language model has to beat."""

import numpy as np
from numpy.typing import ArrayLike

from jaxrnn.data.checks import check_integer, check_integers


def bits_per_character(
    train_ids: ArrayLike, valid_ids: ArrayLike, *, order: int = 5, vocab_size: int
) -> float:
    """Returns the cross-entropy, in bits, of an n-gram model on a text it has not seen.

    Args:
      train_ids: the text to count in, integers [N].
      valid_ids: the text to predict, integers [M], M at least 1.
      order: the n of the n-gram: 5 predicts from the 4 characters before. 0 is the
        uniform guess, log2(vocab_size) bits.
      vocab_size: every number is below it.

    Returns:
      The mean of -log2 p over `valid_ids`.

    Raises:
      TypeError: an argument is not made of integers.
      ValueError: a number is out of range, or there is nothing to predict.

    Example:
      >>> from jaxrnn.models.ngram import bits_per_character
      >>> bits_per_character([0, 1] * 50, [0, 1] * 50, order=0, vocab_size=8)
      3.0
      >>> bits_per_character([0, 1] * 50, [0, 1] * 50, order=2, vocab_size=8) < 0.1
      True
    """
    p = probabilities(train_ids, valid_ids, order=order, vocab_size=vocab_size)
    if not len(p):
        raise ValueError("`valid_ids` must hold at least one number, got none")
    return float(-np.log2(p).mean())


def probabilities(
    train_ids: ArrayLike, valid_ids: ArrayLike, *, order: int = 5, vocab_size: int
) -> np.ndarray:
    """Returns what an interpolated Witten-Bell n-gram model gives each character.

    Of a history h that was followed c(h) times, by T(h) different characters,

      p(w | h) = (c(hw) + T(h) p(w | h')) / (c(h) + T(h)),

    where h' is h without its oldest character, and below the empty history stands the
    uniform distribution. A history that was never seen leaves it to h'. The first
    characters of a text have the shorter history that they have.

    Source: Witten and Bell (1991), "The zero-frequency problem"; interpolated as in
    Chen and Goodman (1998), "An empirical study of smoothing techniques".

    Args:
      train_ids: the text to count in, integers [N].
      valid_ids: the text to predict, integers [M].
      order: the longest history is of order - 1 characters.
      vocab_size: every number is below it.

    Returns:
      The probability of every character of `valid_ids`, float64 [M].

    Raises:
      TypeError: an argument is not made of integers.
      ValueError: a number is out of range.

    Example:
      >>> from jaxrnn.models.ngram import probabilities
      >>> probabilities([0, 0, 1], [0, 1], order=1, vocab_size=2)
      array([0.6, 0.4])
    """
    check_integer("order", order, least=0)
    check_integer("vocab_size", vocab_size, least=1)
    train = check_integers("train_ids", train_ids, below=vocab_size).astype(np.int64)
    valid = check_integers("valid_ids", valid_ids, below=vocab_size).astype(np.int64)
    p = np.full(len(valid), 1 / vocab_size)
    train_history, valid_history = np.zeros_like(train), np.zeros_like(valid)
    histories = 1
    for older in range(order):
        # Number every history with its character: hw, and the history of what follows.
        grams, train_gram, valid_gram = _number(
            train_history * vocab_size + train[older:],
            valid_history * vocab_size + valid[older:],
        )
        count_hw = np.bincount(train_gram, minlength=len(grams))
        count_h = np.bincount(train_history, minlength=histories)
        kinds = np.bincount(grams[count_hw > 0] // vocab_size, minlength=histories)
        total = (count_h + kinds)[valid_history]
        mixed = count_hw[valid_gram] + kinds[valid_history] * p[older:]
        np.divide(mixed, total, out=p[older:], where=total > 0)
        train_history, valid_history = train_gram[:-1], valid_gram[:-1]
        histories = len(grams)
    return p


def _number(
    train: np.ndarray, valid: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct values of both arrays, and each array as places among them."""
    values, places = np.unique(np.concatenate([train, valid]), return_inverse=True)
    return values, places[: len(train)], places[len(train) :]
