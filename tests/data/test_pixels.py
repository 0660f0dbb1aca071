"""Images pixel by pixel: scikit-learn's digits, and MNIST from files."""

import gzip
import struct

import numpy as np
import pytest

from jaxrnn.data import digits, mnist, pixels, read_idx

CODES = {"u1": 8, "i1": 9, ">i2": 11, ">i4": 12, ">f4": 13, ">f8": 14}


def idx(array):
    """The bytes of an idx file."""
    head = struct.pack(">BBBB", 0, 0, CODES[array.dtype.str.lstrip("|")], array.ndim)
    return head + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_files_are_read(tmp_path, dtype, pack):
    array = np.random.default_rng(0).integers(-5, 90, (2, 3, 4)).astype(dtype)
    (tmp_path / "file").write_bytes(pack(idx(array)))
    read = read_idx(tmp_path / "file")
    assert read.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be an idx file, got b''"),
        (b"\x89PNG and more", "must be an idx file, got b'.x89PNG'"),
        (bytes([0, 0, 7, 1, 0, 0, 0, 1, 5]), "must be an idx file"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 2, 5]), "must hold 2 bytes .* got 1"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 2, 5, 5, 5]), "must hold 2 bytes .* got 3"),
        (bytes([0, 0, 8, 3, 0, 0, 0, 2]), "got 0"),
        (gzip.compress(bytes(999), mtime=0)[:-9], "must be a whole gzip file"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_idx(tmp_path / "file")


def test_pixels_come_one_a_step():
    images = np.random.default_rng(0).random((5, 2, 3))
    xs = pixels(images)
    assert xs.shape == (6, 5, 1) and xs.dtype == np.float32
    np.testing.assert_allclose(xs[4, :, 0], images[:, 1, 1], rtol=1e-6)
    order = [5, 0, 4, 1, 3, 2]
    np.testing.assert_array_equal(pixels(images, order=order), xs[order])
    for wrong in ([0, 1, 2], [0, 0, 1, 2, 3, 4], [[0, 1, 2], [3, 4, 5]]):
        with pytest.raises(ValueError, match=r"`order` must be a permutation of range"):
            pixels(images, order=wrong)


def test_digits_are_those_of_the_data_set():
    datasets = pytest.importorskip("sklearn.datasets")
    train, test = digits()
    rows = lambda *parts: sorted(
        (*xs.tolist(), int(label))
        for part in parts
        for xs, label in zip(part.xs[..., 0].T, part.targets, strict=True)
    )
    data = datasets.load_digits()
    expected = [(*x, int(y)) for x, y in zip(data.data / 16, data.target, strict=True)]
    assert rows(train, test) == sorted(expected)  # each once, in one part
    assert len(test.targets) == len(data.target) // 5
    assert np.bincount(test.targets, minlength=10).min() > 20


def test_permuted_digits_are_the_same_ones_in_another_order():
    pytest.importorskip("sklearn")
    for plain, permuted in zip(digits(), digits(permuted=True), strict=True):
        np.testing.assert_array_equal(plain.targets, permuted.targets)
        assert not np.array_equal(plain.xs, permuted.xs)
        np.testing.assert_array_equal(*(np.sort(p.xs, 0) for p in (plain, permuted)))
    (one, _), (other, _) = digits(seed=1), digits(seed=2)
    assert not np.array_equal(one.targets, other.targets)


def test_enlarged_digits_have_every_pixel_in_a_square():
    pytest.importorskip("sklearn")
    for plain, large in zip(digits(), digits(enlarged=3), strict=True):
        np.testing.assert_array_equal(plain.targets, large.targets)
        squares = large.xs.reshape(8, 3, 8, 3, -1)
        expected = plain.xs.reshape(8, 1, 8, 1, -1)
        np.testing.assert_array_equal(squares, expected + np.zeros_like(squares))
    with pytest.raises(ValueError, match="`enlarged` must be at least 1, got 0"):
        digits(enlarged=0)


def test_digits_can_be_told_apart():
    pytest.importorskip("sklearn")
    train, test = (part.xs[..., 0].T for part in digits(permuted=True))
    answers = [part.targets for part in digits(permuted=True)]
    distances = ((test[:, None] - train) ** 2).sum(axis=-1)
    nearest = answers[0][distances.argmin(axis=1)]
    assert np.mean(nearest == answers[1]) > 0.95


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_mnist_is_read_from_its_files(tmp_path, ending):
    rng, pack = np.random.default_rng(0), gzip.compress if ending else bytes
    parts = {"train": 7, "t10k": 3}
    arrays = {}
    for part, count in parts.items():
        images = rng.integers(0, 256, (count, 4, 5)).astype("u1")
        arrays[part] = images, rng.integers(0, 10, count).astype("u1")
        names = f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"
        for name, array in zip(names, arrays[part], strict=True):
            (tmp_path / f"{name}{ending}").write_bytes(pack(idx(array)))
    path = tmp_path / f"train-images-idx3-ubyte{ending}"
    permuted = mnist(path, permuted=True)
    for part, (xs, targets), other in zip(parts, mnist(path), permuted, strict=True):
        images, labels = arrays[part]
        np.testing.assert_allclose(xs[7, :, 0], images[:, 1, 2] / 255, rtol=1e-6)
        np.testing.assert_array_equal(targets, labels)
        np.testing.assert_array_equal(np.sort(other.xs, axis=0), np.sort(xs, axis=0))
    (tmp_path / f"t10k-labels-idx1-ubyte{ending}").unlink()
    with pytest.raises(ValueError, match="must have t10k-labels-idx1-ubyte"):
        mnist(path)
