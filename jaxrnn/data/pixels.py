"""Images as sequences: their pixels one after another."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from jaxrnn.data.checks import check_integer
from jaxrnn.data.examples import Examples
from jaxrnn.data.idx import read_idx


def pixels(images: ArrayLike, *, order: ArrayLike | None = None) -> np.ndarray:
    """Returns images as sequences of one pixel a step, row by row or in an order.

    Args:
      images: [N, ...], numbers.
      order: the place of each step's pixel, a permutation [T]; None: as they stand.

    Returns:
      float32 [T, N, 1], T the number of pixels of an image.

    Raises:
      ValueError: `order` is no permutation of the pixels.

    Example:
      >>> pixels([[[1, 2], [3, 4]]], order=[3, 2, 1, 0])[:, 0, 0].tolist()
      [4.0, 3.0, 2.0, 1.0]
    """
    images = np.asarray(images, np.float32)
    flat = images.reshape(len(images), -1).T
    places = np.arange(len(flat)) if order is None else np.asarray(order)
    if not np.array_equal(np.sort(places), np.arange(len(flat))):
        raise ValueError(f"`order` must be a permutation of range({len(flat)})")
    return flat[places, :, None]


def digits(
    *, permuted: bool = False, enlarged: int = 1, seed: int = 0
) -> tuple[Examples, Examples]:
    """Returns scikit-learn's handwritten digits pixel by pixel, to train and to test.

    They are 1,797 images of 8 x 8 pixels, by 43 people: sequences of 64 steps. One
    answer in ten is right by chance.

    Args:
      permuted: the pixels in an order drawn at random, the same for all images, so that
        neighbours are far apart.
      enlarged: how many pixels, in height and in width, each one becomes: the same
        image, to be remembered for 64 * enlarged^2 steps.
      seed: of the parts, and of the order.

    Returns:
      1,438 images to train on and 359 to test, drawn at random: pixels between 0 and 1,
      float32 [64 * enlarged^2, N, 1], and digits, int32 [N].

    Raises:
      TypeError: `enlarged` or `seed` is no integer.
      ValueError: it is too small.
      ImportError: scikit-learn is not installed.

    References:
      Alpaydin, Kaynak 1998 (UCI, optical recognition of handwritten digits); pixel by
      pixel, and permuted: Le, Jaitly, Hinton 2015, section 4.2.

    Example:
      >>> train, test = digits()
      >>> train.xs.shape, test.xs.shape
      ((64, 1438, 1), (64, 359, 1))
    """
    check_integer("seed", seed, least=0)
    check_integer("enlarged", enlarged, least=1)
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        hint = "pip install 'jaxrnn[digits]'"
        raise ImportError(f"`digits` needs scikit-learn: {hint}") from error
    images, labels = load_digits(return_X_y=True)
    images = np.kron(images.reshape(-1, 8, 8), np.ones((1, enlarged, enlarged)))
    rng = np.random.default_rng(seed)
    order = rng.permutation(images[0].size) if permuted else None
    rows = np.random.default_rng([seed, 1]).permutation(len(images))
    xs, labels = pixels(images / 16, order=order), labels.astype(np.int32)
    part = lambda rows: Examples(xs[:, rows], labels[rows])
    tested = len(images) // 5
    return part(rows[tested:]), part(rows[:tested])


def mnist(
    path: str | os.PathLike[str], *, permuted: bool = False, seed: int = 0
) -> tuple[Examples, Examples]:
    """Returns MNIST's digits pixel by pixel, from files that are there.

    They are images of 28 x 28 pixels: sequences of 784 steps.

    Args:
      path: of the images to train on, `train-images-idx3-ubyte` or the same with
        `.gz`; the three other files stand beside it, named as usual.
      permuted: the pixels in an order drawn at random, the same for all images.
      seed: of the order.

    Returns:
      What to train on and what to test: pixels between 0 and 1, float32 [784, N, 1],
      and digits, int32 [N].

    Raises:
      ValueError: a file is not there, or is none of MNIST's.

    References:
      LeCun, Bottou, Bengio, Haffner 1998; pixel by pixel, and permuted: Le, Jaitly,
      Hinton 2015, section 4.2.

    Example:
      >>> mnist("images.png")
      Traceback (most recent call last):
      ValueError: `path` must be a file 'train-images-idx3-ubyte', got 'images.png'
    """
    check_integer("seed", seed, least=0)
    path, name = Path(path), "train-images-idx3-ubyte"
    if not path.name.startswith(name):
        raise ValueError(f"`path` must be a file {name!r}, got {path.name!r}")
    part = lambda name: _mnist_part(path, name, permuted, seed)
    return part("train"), part("t10k")


def _mnist_part(path: Path, part: str, permuted: bool, seed: int) -> Examples:
    ending = path.name.removeprefix("train-images-idx3-ubyte")
    files = [f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"]
    for file in files:
        if not path.with_name(file + ending).exists():
            raise ValueError(f"`path` must have {file + ending} beside it: {path}")
    images, labels = (read_idx(path.with_name(file + ending)) for file in files)
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise ValueError(
            "images must have the shape (N, height, width) and labels (N,), got "
            f"{images.shape} and {labels.shape}"
        )
    size = images[0].size
    order = np.random.default_rng(seed).permutation(size) if permuted else None
    return Examples(pixels(images, order=order) / 255, labels.astype(np.int32))
