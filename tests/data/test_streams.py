"""Streams read a text once, in order, in windows of one shape."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxrnn.data import Streams

size = st.integers(1, 6)
surplus = st.integers(1, 60)  # over the least length that is allowed


def streamed(windows):
    """What every stream holds: its pairs (input, target), in order."""
    streams = [[] for _ in range(windows[0].mask.shape[1])]
    for inputs, targets, mask in windows:
        for row, stream in enumerate(streams):
            real = mask[:, row]
            stream.extend(zip(inputs[real, row], targets[real, row], strict=True))
    return streams


@settings(deadline=None, max_examples=50)
@given(size, size, surplus)
def test_every_symbol_is_read_once_in_order(batch_size, window, surplus):
    ids = np.arange(batch_size * window + surplus)
    windows = list(Streams(ids, batch_size=batch_size, window=window))
    pairs = [pair for stream in streamed(windows) for pair in stream]
    assert pairs == list(itertools.pairwise(ids))


@settings(deadline=None, max_examples=50)
@given(size, size, surplus)
def test_drop_last_reads_whole_windows_only(batch_size, window, surplus):
    ids = np.arange(batch_size * window + surplus)
    windows = list(Streams(ids, batch_size=batch_size, window=window, drop_last=True))
    assert all(each.mask.all() for each in windows)
    pairs = [pair for stream in streamed(windows) for pair in stream]
    assert pairs == list(itertools.pairwise(ids))[: len(pairs)]
    assert 0 <= len(ids) - 1 - len(pairs) < batch_size * window


@settings(deadline=None, max_examples=50)
@given(size, size, surplus, st.booleans())
def test_windows_have_one_shape_and_legal_symbols(batch_size, window, surplus, drop):
    ids = np.full(batch_size * window + surplus, 7, np.uint8)
    streams = Streams(ids, batch_size=batch_size, window=window, drop_last=drop)
    windows = list(streams)
    assert len(windows) == len(streams)
    for inputs, targets, mask in windows:
        assert inputs.shape == targets.shape == mask.shape == (window, batch_size)
        assert inputs.dtype == targets.dtype == np.int32
        assert mask.dtype == bool
        assert (inputs == 7).all()
        assert (targets == 7).all()


def test_a_window_by_its_place_is_the_window_of_the_iteration():
    streams = Streams(np.arange(100), batch_size=3, window=7)
    for index, expected in enumerate(streams):
        np.testing.assert_array_equal(streams.window(index), expected)


def test_streams_by_hand():
    streams = Streams([5, 6, 7, 8, 9, 10], batch_size=2, window=2)
    np.testing.assert_array_equal(streams.window(0).inputs, [[5, 8], [6, 9]])
    np.testing.assert_array_equal(streams.window(0).targets, [[6, 9], [7, 10]])
    np.testing.assert_array_equal(streams.window(1).inputs, [[7, 5], [5, 5]])
    np.testing.assert_array_equal(streams.window(1).targets, [[8, 5], [5, 5]])
    np.testing.assert_array_equal(streams.window(1).mask, [[True, False], [False] * 2])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: Streams(range(6), batch_size=2, window=3),
            ValueError,
            "`ids` must hold at least window * batch_size + 1 = 7 symbols, got 6",
        ),
        (
            lambda: Streams([], batch_size=1, window=1),
            ValueError,
            "`ids` must hold at least window * batch_size + 1 = 2 symbols, got 0",
        ),
        (
            lambda: Streams(range(6), batch_size=0, window=3),
            ValueError,
            "`batch_size` must be at least 1, got 0",
        ),
        (
            lambda: Streams(range(6), batch_size=2, window=1.5),
            TypeError,
            "`window` must be an integer, got 1.5",
        ),
        (
            lambda: Streams(range(6), batch_size=True, window=1),
            TypeError,
            "`batch_size` must be an integer, got True",
        ),
        (
            lambda: Streams("text", batch_size=2, window=1),
            ValueError,
            "`ids` must have shape (N,), got ()",
        ),
        (
            lambda: Streams([0, 1, 2**31], batch_size=1, window=1),
            ValueError,
            "`ids` must lie in [0, 2147483648), got 2147483648 at position 2",
        ),
        (
            lambda: Streams(range(6), batch_size=1, window=5).window(1),
            ValueError,
            "`index` must be below 1, got 1",
        ),
        (
            lambda: Streams(range(6), batch_size=1, window=5).window(-1),
            ValueError,
            "`index` must be at least 0, got -1",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()
