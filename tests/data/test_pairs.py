"""Pairs of texts: read, split and side by side."""

import numpy as np
import pytest

from jaxrnn.data import (
    Pair,
    batches,
    pair_batches,
    read_pairs,
    split_pairs,
    tidy,
)


def test_tidy_leaves_one_way_to_write_a_text():
    assert tidy("9\u202fh\u00a030 ") == tidy(" 9  h\t30") == "9 h 30"
    assert tidy("e\u0301") == "\u00e9"
    assert tidy(tidy("\u212b\n")) == "\u00c5"


def test_pairs_of_a_file(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("\ufeffun\tone\r\n\n  dos \t two\nun\tone\nun\ta\n", "utf-8")
    assert read_pairs(path) == [
        Pair("un", "one"),
        Pair("dos", "two"),
        Pair("un", "a"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("un\tone\ndos\n", "got 'dos' in line 2"),
        ("un\tone\tuno\n", r"got 'un\\tone\\tuno' in line 1"),
        ("un\t \n", r"got 'un\\t ' in line 1"),
        ("\n \n", "at least one pair"),
        ("", "which is empty"),
    ],
)
def test_files_without_pairs(tmp_path, text, message):
    (tmp_path / "pairs.tsv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_pairs(tmp_path / "pairs.tsv")


def test_a_source_is_in_one_part():
    pairs = [Pair(str(n % 40), str(n)) for n in range(100)]
    corpus = split_pairs(pairs, held_fraction=0.2, seed=3)
    assert corpus == split_pairs(iter(pairs), held_fraction=0.2, seed=3)
    assert corpus != split_pairs(pairs, held_fraction=0.2, seed=4)
    parts = [corpus.train, corpus.valid, corpus.tests["unseen"]]
    sources = [{pair.source for pair in part} for part in parts]
    assert [len(own) for own in sources] == [32, 4, 4]
    assert len(set.union(*sources)) == 40
    assert sorted(corpus.pairs()) == sorted(pairs)


def test_splits_that_cannot_be():
    with pytest.raises(ValueError, match="`held_fraction` must be between 0 and 1"):
        split_pairs([], held_fraction=1.0)
    with pytest.raises(ValueError, match="at least 3 sources, got 2"):
        split_pairs([Pair("a", "b"), Pair("b", "c"), Pair("a", "d")])


def random_pairs(count=50):
    rng = np.random.default_rng(0)
    draw = lambda most: rng.integers(1, 9, rng.integers(0, most))
    return [draw(9) for _ in range(count)], [draw(13) for _ in range(count)]


@pytest.mark.parametrize("shuffle", [False, True])
def test_every_pair_is_in_one_batch(shuffle):
    sources, targets = random_pairs()
    how = {"batch_size": 7, "max_buckets": 3, "shuffle": shuffle, "epoch": 2}
    seen, shapes = [], set()
    for batch in pair_batches(sources, targets, **how):
        shapes.add((batch.sources.shape, batch.targets.shape))
        for place, row in enumerate(batch.rows):
            S, T = batch.source_lengths[place], batch.target_lengths[place]
            source, target = batch.sources[place], batch.targets[:, place]
            expected = (sources[row], targets[row]) if row >= 0 else ([], [])
            assert np.array_equal(source[:S], expected[0]) and not source[S:].any()
            assert np.array_equal(target[:T], expected[1]) and not target[T:].any()
            seen.append(row)
    assert sorted(row for row in seen if row >= 0) == [*range(50)]
    assert len(shapes) == 3
    # The plan is that of `batches` on the longer of both.
    longer = [max(pair, key=len) for pair in zip(sources, targets, strict=True)]
    plain = [batch.rows.tolist() for batch in batches(longer, **how)]
    assert plain == [seen[i : i + 7] for i in range(0, len(seen), 7)]


def test_pairs_that_do_not_fit():
    with pytest.raises(ValueError, match="as many, got 1 and 2"):
        pair_batches([[1]], [[1], [2]], batch_size=1)
    with pytest.raises(ValueError, match="`batch_size` must be at least 1"):
        pair_batches([[1]], [[1]], batch_size=0)
