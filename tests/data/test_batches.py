"""Padding loses nothing, buckets cost the least, and an epoch holds every sequence."""

import itertools
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxrnn.data import batches, bucket_boundaries, gather, pad, unpad

lengths_of_many = st.lists(st.integers(0, 12), min_size=1, max_size=12)


def sequences(lengths, trailing=(2,), dtype=np.float32):
    """Distinct random sequences of these lengths."""
    rng = np.random.default_rng(0)
    return [rng.normal(size=(n, *trailing)).astype(dtype) for n in lengths]


def cost(lengths, tops, batch_size):
    """The steps that these buckets cost, by the definition."""
    rows = dict.fromkeys(tops, 0)
    for length in lengths:
        rows[min(top for top in tops if top >= max(length, 1))] += 1
    return sum(top * -(-n // batch_size) * batch_size for top, n in rows.items())


@settings(deadline=None, max_examples=50)
@given(lengths_of_many, st.sampled_from([(), (3,), (2, 0)]), st.integers(0, 3))
def test_unpad_inverts_pad(lengths, trailing, extra):
    arrays = sequences(lengths, trailing)
    xs, padded_lengths = pad(arrays, length=max(lengths) + extra)
    assert xs.shape == (max(lengths) + extra, len(lengths), *trailing)
    assert xs.dtype == np.float32
    assert padded_lengths.dtype == np.int32
    assert padded_lengths.tolist() == lengths
    for array, back in zip(arrays, unpad(xs, padded_lengths), strict=True):
        np.testing.assert_array_equal(back, array)


def test_padding_holds_the_value():
    xs, _ = pad([np.int8([1, 2]), np.int8([3])], length=3, value=-1)
    assert xs.dtype == np.int8
    assert xs.T.tolist() == [[1, 2, -1], [3, -1, -1]]


def test_gather_takes_rows_in_any_order_and_fills():
    tags = [[1, 2], [3], [4, 5, 6]]
    xs, lengths = gather(tags, [2, -1, 0, 2], length=4)
    assert xs.T.tolist() == [[4, 5, 6, 0], [0] * 4, [1, 2, 0, 0], [4, 5, 6, 0]]
    assert lengths.tolist() == [3, 0, 2, 3]


def test_gather_of_no_rows_is_an_empty_batch():
    xs, lengths = gather(sequences([4, 2]), [])
    assert xs.shape == (0, 0, 2)
    assert lengths.shape == (0,)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=12),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_bucket_boundaries_are_the_best_there_are(lengths, max_buckets, batch_size):
    tops = bucket_boundaries(lengths, max_buckets=max_buckets, batch_size=batch_size)
    assert len(tops) <= max_buckets
    assert list(tops) == sorted(set(tops))
    longest = max(*lengths, 1)
    assert tops[-1] == longest
    least = min(
        cost(lengths, (*others, longest), batch_size)
        for n in range(max_buckets)
        for others in itertools.combinations(range(1, longest), n)
    )
    assert cost(lengths, tops, batch_size) == least


def test_bucket_boundaries_of_many_different_lengths_are_nearly_the_best():
    lengths = np.arange(1, 10_001)
    tops = bucket_boundaries(lengths, max_buckets=4)
    # Evenly spread lengths are best cut evenly.
    np.testing.assert_allclose(tops, [2500, 5000, 7500, 10_000], atol=10)


@settings(deadline=None, max_examples=50)
@given(lengths_of_many, st.integers(1, 5), st.integers(1, 4), st.booleans())
def test_an_epoch_holds_every_sequence_once(lengths, batch_size, max_buckets, shuffle):
    arrays = sequences(lengths)
    epoch = list(
        batches(arrays, batch_size=batch_size, max_buckets=max_buckets, shuffle=shuffle)
    )
    rows = np.concatenate([batch.rows for batch in epoch])
    assert sorted(rows[rows >= 0].tolist()) == list(range(len(arrays)))
    assert len({batch.xs.shape for batch in epoch}) <= max_buckets
    for batch in epoch:
        assert batch.xs.shape[1] == batch_size
        assert batch.rows.dtype == batch.lengths.dtype == np.int32
        for place, row in zip(batch.rows, unpad(batch.xs, batch.lengths), strict=True):
            expected = arrays[place] if place >= 0 else arrays[0][:0]
            np.testing.assert_array_equal(row, expected)


@settings(deadline=None, max_examples=50)
@given(lengths_of_many, st.integers(1, 5), st.integers(1, 4))
def test_every_epoch_has_the_shapes_of_the_boundaries(lengths, batch_size, max_buckets):
    arrays = sequences(lengths)
    tops = bucket_boundaries(lengths, max_buckets=max_buckets, batch_size=batch_size)
    for epoch in range(2):
        shapes = {
            batch.xs.shape
            for batch in batches(
                arrays, batch_size=batch_size, max_buckets=max_buckets, epoch=epoch
            )
        }
        assert shapes == {(top, batch_size, 2) for top in tops}


def test_drop_last_leaves_out_the_partial_batches():
    arrays = sequences([3] * 7 + [9] * 5)
    epoch = list(batches(arrays, batch_size=3, max_buckets=2, drop_last=True))
    assert sorted(batch.xs.shape for batch in epoch) == [(3, 3, 2)] * 2 + [(9, 3, 2)]
    assert all((batch.rows >= 0).all() for batch in epoch)


def test_batches_without_shuffle_keep_the_order_within_a_bucket():
    arrays = sequences([5, 1, 5, 1, 5])
    epoch = batches(arrays, batch_size=2, max_buckets=2, shuffle=False)
    assert [batch.rows.tolist() for batch in epoch] == [[1, 3], [0, 2], [4, -1]]


def order(**options):
    """The order of the sequences in an epoch."""
    epoch = batches(sequences(range(1, 31)), batch_size=4, **options)
    return [batch.rows.tolist() for batch in epoch]


def test_seed_and_epoch_alone_decide_the_order():
    assert order(seed=1, epoch=2) == order(seed=1, epoch=2)
    assert order(seed=1, epoch=2) != order(seed=2, epoch=1)
    assert order(seed=1, epoch=2) != order(seed=1, epoch=3)


def test_another_process_draws_the_same_batches(pytestconfig):
    program = (
        "import numpy as np; from jaxrnn.data import batches\n"
        "arrays = [np.zeros(n) for n in range(1, 31)]\n"
        "for batch in batches(arrays, batch_size=4, seed=1, epoch=2):\n"
        "    print(batch.rows.tolist())"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.splitlines() == [str(row) for row in order(seed=1, epoch=2)]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: pad([]),
            ValueError,
            "`arrays` must hold at least one sequence, got none",
        ),
        (
            lambda: batches([], batch_size=2),
            ValueError,
            "`arrays` must hold at least one sequence, got none",
        ),
        (
            lambda: pad([[1, 2], [3.0]]),
            TypeError,
            "`arrays[1]` must have dtype int64 like `arrays[0]`, got float64",
        ),
        (
            lambda: batches([np.ones((3, 2)), np.ones((4, 1))], batch_size=2),
            ValueError,
            "`arrays[1]` must have shape (T, 2) like `arrays[0]`, got (4, 1)",
        ),
        (
            lambda: pad([[1], [2], 3]),
            ValueError,
            "`arrays[2]` must have shape (T,) like `arrays[0]`, got ()",
        ),
        (
            lambda: pad([1, 2]),
            ValueError,
            "`arrays[0]` must have shape (T, ...), got ()",
        ),
        (
            lambda: pad([[1], [2, 3]], length=1),
            ValueError,
            "`arrays[1]` must have at most `length` = 1 steps, got 2",
        ),
        (
            lambda: gather([[1], [2], [2, 3]], [0, 2], length=1),
            ValueError,
            "`arrays[2]` must have at most `length` = 1 steps, got 2",
        ),
        (
            lambda: gather([[1], [2]], [2]),
            ValueError,
            "`rows` must lie in [-1, 2), got 2 at position 0",
        ),
        (
            lambda: pad([[1]], length=-1),
            ValueError,
            "`length` must be at least 0, got -1",
        ),
        (
            lambda: unpad([1, 2], [1]),
            ValueError,
            "`xs` must have shape (T, B, ...), got (2,)",
        ),
        (
            lambda: unpad([[1, 2]], [1]),
            ValueError,
            "`lengths` must have shape (B,) = (2,), got (1,)",
        ),
        (
            lambda: unpad([[1, 2]], [1, 2]),
            ValueError,
            "`lengths` must lie in [0, 2), got 2 at position 1",
        ),
        (
            lambda: unpad([[1, 2]], [1.0, 0.0]),
            TypeError,
            "`lengths` must hold integers, got float64",
        ),
        (
            lambda: batches([[1]], batch_size=0),
            ValueError,
            "`batch_size` must be at least 1, got 0",
        ),
        (
            lambda: batches([[1]], batch_size=2, max_buckets=0),
            ValueError,
            "`max_buckets` must be at least 1, got 0",
        ),
        (
            lambda: batches([[1]], batch_size=2, seed=-1),
            ValueError,
            "`seed` must be at least 0, got -1",
        ),
        (
            lambda: batches([[1]], batch_size=2, epoch=0.5),
            TypeError,
            "`epoch` must be an integer, got 0.5",
        ),
        (
            lambda: batches([[1]] * 3, batch_size=4, drop_last=True),
            ValueError,
            "`drop_last` must leave a batch, got no bucket of `batch_size` = 4"
            " sequences (the largest has 3)",
        ),
        (
            lambda: bucket_boundaries([], max_buckets=2),
            ValueError,
            "`lengths` must hold at least one length, got none",
        ),
        (
            lambda: bucket_boundaries([3, -1], max_buckets=2),
            ValueError,
            "`lengths` must be at least 0, got -1 at position 1",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()
