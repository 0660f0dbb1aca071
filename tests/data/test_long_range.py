"""The tasks with long dependencies: each is what its paper defines."""

import math

import numpy as np
import pytest

from jaxrnn.data import adding, copy_baseline, copy_memory, temporal_order


@pytest.mark.parametrize("steps", [2, 7, 40])
def test_adding_marks_one_number_a_half(steps):
    xs, targets = adding(steps, 500)
    numbers, marks = xs[..., 0].T, xs[..., 1].T
    assert xs.dtype == targets.dtype == np.float32 and targets.shape == (500, 1)
    assert set(np.unique(marks)) <= {0, 1}
    for half in (slice(None, steps // 2), slice(steps // 2, None)):
        assert (marks[:, half].sum(axis=1) == 1).all()
        assert (marks[:, half].sum(axis=0) > 0).all()  # every place is drawn
    for row, mark, target in zip(numbers, marks, targets, strict=True):
        first, second = np.flatnonzero(mark)
        assert target == row[first] + row[second]


def test_adding_has_its_baseline():
    xs, targets = adding(10, 20_000)
    assert xs.min() >= 0 and xs.max() < 1.0 + 1e-7
    assert np.mean((targets - 1) ** 2) == pytest.approx(1 / 6, rel=0.03)
    assert targets.mean() == pytest.approx(1, abs=0.01)


def test_copy_memory_repeats_its_beginning():
    xs, targets = copy_memory(13, 50, symbols=5, length=3)
    assert xs.dtype == targets.dtype == np.int32
    assert xs.shape == targets.shape == (13 + 2 * 3, 50)
    blank, go = 5, 6
    for x, target in zip(xs.T.tolist(), targets.T.tolist(), strict=True):
        said = x[:3]
        assert x == [*said, *[blank] * 12, go, *[blank] * 3]
        assert target == [*[blank] * 16, *said]
    assert set(np.unique(xs[:3])) == set(range(5))


def test_copy_baseline_is_the_surprise_of_a_blind_guess():
    steps, symbols, length = 30, 4, 6
    _, targets = copy_memory(steps, 9, symbols=symbols, length=length)
    chance = np.where(np.arange(len(targets)) < steps + length, 1, 1 / symbols)
    chance = np.broadcast_to(chance[:, None], targets.shape)
    expected = -np.log(chance).mean()
    assert copy_baseline(steps, symbols=symbols, length=length) == pytest.approx(
        expected
    )
    assert copy_baseline(100) == 10 * math.log(8) / 120


@pytest.mark.parametrize("steps", [10, 57, 100])
def test_temporal_order_is_told_by_two_symbols(steps):
    xs, targets = temporal_order(steps, 3000)
    assert xs.dtype == targets.dtype == np.int32
    assert set(np.unique(xs)) == set(range(6))
    places = {1: set(), 5: set()}
    for row, target in zip(xs.T, targets, strict=True):
        (first, second), (a, b) = np.flatnonzero(row < 2), row[row < 2]
        assert ["AA", "AB", "BA", "BB"][target] == "AB"[a] + "AB"[b]
        places[1].add(int(first))
        places[5].add(int(second))
    for tenth, seen in places.items():
        assert seen == {*range(tenth * steps // 10, (tenth + 1) * steps // 10)}
    share = np.bincount(targets, minlength=4) / len(targets)
    assert np.abs(share - 0.25).max() < 0.03


@pytest.mark.parametrize("draw", [adding, copy_memory, temporal_order])
def test_seeds(draw):
    one, same, other = (draw(20, 4, seed=seed) for seed in (7, 7, (7, 1)))
    assert all(map(np.array_equal, one, same))
    assert not np.array_equal(one.xs, other.xs)
    rng = np.random.default_rng(7)
    again, further = draw(20, 4, seed=rng), draw(20, 4, seed=rng)
    assert all(map(np.array_equal, one, again))
    assert not np.array_equal(again.xs, further.xs)


@pytest.mark.parametrize(
    ("draw", "least"), [(adding, 2), (copy_memory, 1), (temporal_order, 10)]
)
def test_sizes_are_checked(draw, least):
    with pytest.raises(ValueError, match=f"`steps` must be at least {least}, got"):
        draw(least - 1, 3)
    with pytest.raises(TypeError, match=r"`batch_size` must be an integer, got 2\.5"):
        draw(least, 2.5)
    with pytest.raises(ValueError, match="`batch_size` must be at least 1, got 0"):
        draw(least, 0)
