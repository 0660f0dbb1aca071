"""The race between libraries: that it is fair can be told without running it."""

import dataclasses

import jax
import pytest

from benchmarks.peers import libraries
from benchmarks.peers.__main__ import asked_rows, shape
from benchmarks.peers.contest import Result, check, entrants, measure
from benchmarks.peers.report import BARS, lines, summary
from benchmarks.peers.work import NETWORKS, SHAPES, Row, Shape

TINY = Shape(steps=5, rows=2, input=3, hidden=4)
LSTM, GRU = NETWORKS[0], NETWORKS[1]
LINEN = [one for one in libraries.LIBRARIES if one.name == "linen"]


def outcome(network, shape, peak=1e12, **milliseconds):
    """A result whose libraries took so long, in every mode and repetition."""
    seconds = {name: [each * 1e-3] * 3 for name, each in milliseconds.items()}
    row = Row(network, shape)
    return Result(row, {}, {"forward": seconds, "train": seconds}, peak)


def figures(results):
    return {(row["name"], row["mode"]): row for row in summary(results)}


@pytest.mark.slow
def test_a_library_agrees():
    result = measure(Row(GRU, TINY), LINEN, repeats=2, lasting=0.0)
    assert list(result.errors) == ["linen"]
    assert 0 < max(result.errors["linen"]) < 1e-5
    for seconds in result.seconds.values():
        assert {name: len(each) for name, each in seconds.items()} == {
            "jaxrnn": 2,
            "linen": 2,
        }


def test_a_library_that_computes_something_else_is_told():
    row = Row(LSTM, TINY)
    params, xs = row.params(), row.inputs()
    peers = entrants(row, LINEN)
    right, own = peers["linen"], peers["jaxrnn"].ready(params, xs)
    constant = lambda own, xs: right.run(jax.lax.stop_gradient(own), xs)
    halved = lambda own, xs: 0.5 * right.run(own, xs)
    for wrong in (constant, halved):
        peers["linen"] = right._replace(run=wrong)
        ready = {"jaxrnn": own, "linen": peers["linen"].ready(params, xs)}
        with pytest.raises(ArithmeticError, match="linen and jaxrnn differ on LSTM"):
            check(row, peers, ready)


def test_operations_are_those_of_the_products():
    T, B, n, H = TINY
    assert Row(LSTM, TINY).operations(train=False) == 2 * T * B * (n + H) * 4 * H
    assert Row(LSTM, TINY).operations(train=True) == 2 * T * B * (2 * n + 3 * H) * 4 * H
    deep = Row(NETWORKS[-1], TINY)
    both = 2 * 2 * T * B * 4 * H
    assert deep.operations(train=False) == both * (n + H + 2 * H + H)
    assert deep.operations(train=True) == both * (2 * n + 3 * H + 3 * (2 * H + H))


def test_bars():
    fast = outcome(LSTM, SHAPES[0], jaxrnn=2.0, linen=4.0, haiku=9.0, torch=1.0)
    slow = outcome(GRU, SHAPES[6], jaxrnn=2.0, linen=1.0, torch=8.0)
    found = figures([fast, slow])
    reached = lambda name, mode="forward": (
        pytest.approx(found[name, mode]["figure"]),
        found[name, mode]["reached"],
    )
    assert reached("best JAX peer, any row") == (0.5, False)
    assert reached("best JAX peer, geometric mean over all rows") == (1.0, False)
    assert reached("best JAX peer, geometric mean over B >= 16") == (2.0, True)
    assert reached("torch, geometric mean over all rows") == (2**0.5, True)
    assert reached("torch, geometric mean over all rows", "train") == (2**0.5, False)
    assert reached("torch, any LSTM row") == (0.5, False)
    assert found[BARS[-1].name, "forward"]["reached"] is None


def test_share_of_the_peak():
    large = outcome(LSTM, SHAPES[3], jaxrnn=1e3)
    peak = large.row.operations(train=True)
    found = figures([dataclasses.replace(large, peak=peak)])
    name = BARS[-1].name
    assert found[name, "train"]["figure"] == pytest.approx(1)
    assert found[name, "forward"]["reached"] is False  # a third of the operations
    assert found["torch, any LSTM row", "forward"]["figure"] is None


def test_tables_hold_every_time():
    text = "\n".join(lines([outcome(LSTM, SHAPES[0], jaxrnn=2.0, linen=3.0)]))
    assert "| (100, 32, 128, 128) | forward |   2.00 |  3.00 |" in text
    assert "not measured" in text


def test_what_is_asked_for():
    assert shape("25,1,64,100") == SHAPES[6]
    assert {row.network.name for row in asked_rows("gru", (), quick=True)} == {
        "GRU, reset after",
        "GRU, reset before",
    }
    assert [str(row) for row in asked_rows("RNN", [TINY], quick=False)] == [
        "RNN, tanh (5, 2, 3, 4)"
    ]
