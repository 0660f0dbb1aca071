"""The words of a verdict on cases that are built, and the picture beside them."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from jaxrnn.gradflow import measure
from jaxrnn.gradflow.verdict import fade
from laws.user_cell import Counting

T, B, N, H = 30, 3, 2, 4
XS = jnp.asarray(np.random.default_rng(0).uniform(size=(T, B, N)))


ELMAN = jr.Elman(H, activation="relu", param_dtype="float64")


def elman(factor):
    """A network whose state is multiplied by the factor, and positive."""
    params = ELMAN.init(jax.random.key(0), N)
    U = factor * jnp.eye(H)
    return params | {"kernel": jnp.abs(params["kernel"]), "recurrent_kernel": U}


def last(ys):
    return jnp.sum(ys[-1])


def scaled(ys, factor):
    return factor * jnp.sum(ys[-1])


def first_line(flow):
    return flow.verdict().splitlines()[0]


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (0.5, "gradients shrink by 0.50 a step; after 10 steps below 1e-3 of the last"),
        (1.5, "gradients grow by 1.50 a step; after 18 steps above 1e3 times the last"),
        (1.0, "gradients keep their size: after 29 steps 1 of the last"),
        (0.0, "gradients are 0 after 1 step"),
    ],
)
def test_time(factor, words):
    flow = measure(ELMAN, elman(factor), XS, last)
    assert first_line(flow).startswith(f"Elman: {words};")
    helps = {0.5: "where they shrink", 1.5: "where they grow", 0.0: "where they shrink"}
    assert helps.get(factor, "") in flow.verdict()
    assert ("What helps" in flow.verdict()) == (factor in helps)


def test_where_weights_learn_from():
    words = first_line(measure(ELMAN, elman(0.5), XS, last))
    # 1 - 1/2^4 is over 90 %, but of U no gradient comes from the first step.
    assert words.endswith(
        "90 % of the gradient of recurrent_kernel from the last 4 steps."
    )


@pytest.mark.slow
def test_gates():
    cell = jr.LSTM(H, forget_bias=-20.0, param_dtype="float64")
    flow = measure(cell, cell.init(jax.random.key(0), N), XS, last, rows=0)
    assert "100 % of forget gates closed" in flow.verdict()
    assert "input" not in flow.verdict()


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (0.0, "The loss is constant: no gradient reaches any layer."),
        (np.nan, "The loss is nan: its gradients say nothing."),
    ],
)
def test_losses_that_teach_nothing(factor, words):
    flow = measure(ELMAN, elman(0.5), XS[:4], scaled, targets=factor, rows=0)
    assert first_line(flow) == words
    assert flow.plot().axes


def test_gradients_that_are_no_numbers():
    root = lambda ys: jnp.sqrt(ys - ys).sum()
    flow = measure(ELMAN, elman(0.5), XS[:4], root, rows=0)
    assert first_line(flow) == "Elman: gradients are not finite, at step 3 and others."
    assert flow.plot().axes


def test_a_single_step_without_a_batch():
    flow = measure(ELMAN, elman(0.5), XS[:1, 0], last)
    words = "Elman: there is one step, so nothing flows through time."
    assert flow.verdict() == words
    assert flow.layers["Elman"].norms["hidden"].shape == (1,)
    assert flow.plot().axes


@pytest.mark.slow
def test_rows_without_a_step():
    flow = measure(ELMAN, elman(0.5), XS, last, lengths=np.array([T, 0, 3]))
    assert "1 of 3 rows hold no step." in flow.verdict()
    empty = measure(ELMAN, elman(0.5), XS, last, lengths=np.zeros(3, int))
    assert empty.verdict() == "The loss is constant: no gradient reaches any layer."


class Counter(jr.Cell):
    """How many steps there were, an integer, beside the input."""

    def init(self, key, input_size=None):
        return {"scale": jnp.ones(())}

    def initial_carry(self, ready, batch_shape):
        return jnp.zeros(batch_shape, jnp.int32)

    def recur(self, ready, carry, x):
        return carry + 1, ready["scale"] * x


@pytest.mark.slow
def test_carries_that_hold_integers():
    flow = measure(Counter(), {"scale": jnp.ones(())}, XS, last)
    words = "Counter: its carry holds no floating numbers, so no gradient flows"
    assert first_line(flow).startswith(words)
    assert flow.plot().get_suptitle().startswith(words)
    cell = Counting(N, param_dtype="float64")
    flow = measure(cell, parameters(cell, N), XS, last)
    assert list(flow.layers["Counting"].norms) == ["hidden"]


def test_models_without_a_memory():
    flow = measure(jr.Dense(2), parameters(jr.Dense(2), N), XS, last)
    assert flow.verdict() == "No layer has a memory: nothing flows through time."
    assert flow.plot().get_suptitle() == flow.verdict()


def test_fade_stops_where_no_signal_gets_to():
    assert fade(np.array([1.0, 0.5, np.nan, 0.1])).steps == 1
    assert fade(np.array([1.0])) is None
    assert fade(np.array([1.0, 0.0])).left == 0


@pytest.mark.slow
def test_the_picture_says_it_all(tmp_path):
    model = jr.Stack(jr.Elman(3), jr.LSTM(H), param_dtype="float64")
    flow = measure(model, parameters(model, N), XS, last)
    figure = flow.plot()
    assert figure.get_suptitle().replace("\n", " ").startswith("0 Elman: gradients")
    drawn = [axes for axes in figure.axes if axes.axison]
    assert len(figure.axes) == 10 and len(drawn) == 9  # an Elman has no gates
    figure.savefig(tmp_path / "flow.png")
    assert (tmp_path / "flow.png").stat().st_size > 20_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distances": 0}, "`distances` must be at least 1, got 0"),
        ({"rows": -1}, "`rows` must be an integer of at least 0, got -1"),
        ({"thresholds": (0.9, 0.1)}, "`thresholds` must rise within [0, 1]"),
        (
            {"loss": lambda ys: ys},
            "`loss` must give a scalar, or a value for each step",
        ),
    ],
)
def test_errors(options, message):
    given = {"loss": last} | options
    with pytest.raises(ValueError, match=re.escape(message)):
        measure(ELMAN, elman(0.5), XS, **given)
