"""The words of a verdict on cases that are built, and the picture beside them."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from jaxrnn.gradflow import Distances, LayerFlow, measure
from jaxrnn.gradflow.verdict import _of_time, fade
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
        (0.8, "gradients shrink by 0.80 a step; after 29 steps 0.0015 of the last"),
        (1.2, "gradients grow by 1.20 a step; after 29 steps 2e+02 times the last"),
        (1.0, "gradients keep their size: after 29 steps 1 of the last"),
        (0.0, "gradients are 0 after 1 step"),
    ],
)
def test_time(factor, words):
    flow = measure(ELMAN, elman(factor), XS, last, rows=0)
    assert first_line(flow).startswith(f"Elman: {words};")
    assert ("where they shrink" in flow.verdict()) == (factor < 1)
    assert ("where they grow" in flow.verdict()) == (factor > 1)
    assert str(flow) == flow.verdict()  # what a notebook prints


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (
            0.83,
            "gradients shrink by 0.83 a step; after 38 steps below 1e-3 of the last",
        ),
        (0.9, "gradients shrink by 0.90 a step; after 39 steps 0.016 of the last"),
        (0.98, "gradients shrink by 0.98 a step; after 39 steps 0.45 of the last"),
        (0.99, "gradients keep their size: after 39 steps 0.68 of the last"),
        (1.01, "gradients keep their size: after 39 steps 1.5 of the last"),
        (1.05, "gradients grow by 1.05 a step; after 39 steps 6.7 times the last"),
    ],
)
def test_words_for_a_rate(rate, words):
    nothing = jnp.zeros(40)
    reach = Distances({}, {}, rate ** jnp.arange(40.0))
    layer = LayerFlow({}, nothing, {}, reach, None, {})
    assert _of_time(layer) == words


def test_where_weights_learn_from():
    words = first_line(measure(ELMAN, elman(0.5), XS, last, rows=0))
    # 1 - 1/2^4 is over 90 %, but of U no gradient comes from the first step.
    assert words.endswith(
        "90 % of the gradient of recurrent_kernel from the last 4 steps."
    )
    near = measure(ELMAN, elman(0.5), XS, last, rows=0, distances=2)
    name = "recurrent_kernel"
    share = 100 * near.layers["Elman"].distances.shares[name].sum()  # about 3/4
    words = f"{share:.0f} % of the gradient of {name} from the last 2 steps."
    assert first_line(near).endswith(words)
    assert 70 < share < 80


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


@pytest.mark.slow
def test_gradients_that_are_no_numbers():
    root = lambda ys: jnp.sqrt(ys - ys).sum()
    flow = measure(ELMAN, elman(0.5), XS[:4], root, rows=0)
    assert first_line(flow) == "Elman: gradients are not finite, at step 3 and others."
    assert flow.plot().axes
    one = measure(ELMAN, elman(0.5), XS[:1], root, rows=0)
    assert first_line(one) == "Elman: gradients are not finite, at step 0."


@pytest.mark.slow
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


class Delayed(jr.Cell):
    """A state of 0.5 h' + x, whose output is what it was before."""

    def init(self, key, input_size=None):
        return {}

    def initial_carry(self, ready, batch_shape):
        return jnp.zeros((*batch_shape, N))

    def recur(self, ready, carry, x):
        return carry / 2 + x, carry


class Rounded(Delayed):
    """Its output is the state's sign, an integer."""

    def recur(self, ready, carry, x):
        return carry / 2 + x, jnp.sign(carry).astype(jnp.int32)


@pytest.mark.slow
def test_outputs_of_the_state_before_and_no_parameters():
    flow = measure(Delayed(), {}, XS, last)
    reach = flow.layers["Delayed"].distances.reach
    np.testing.assert_allclose(reach[:5], [1, 1, 0.5, 0.25, 0.125])
    assert first_line(flow).startswith("Delayed: gradients shrink by 0.5")
    assert flow.plot().axes


@pytest.mark.slow
def test_outputs_of_integers():
    loss = lambda ys: jnp.sum(ys.astype(jnp.float32))
    flow = measure(Rounded(), {}, XS, loss)
    assert flow.verdict() == "The loss is constant: no gradient reaches any layer."
    assert flow.plot().axes


@pytest.mark.slow
def test_a_window_is_to_end():
    cell = jr.QRNN(H, window=3, param_dtype="float64")
    params = parameters(cell, N)
    window, _ = measure(cell, params, XS, last, rows=0).verdict().splitlines()[:2]
    assert "gradients are 0 after 3 steps" in window


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
        ({"thresholds": (0.1,)}, "`thresholds` must rise within [0, 1], got (0.1,)"),
        ({"xs": XS[:0]}, "`xs` must hold a step and a row at least, got (0, 3)"),
        ({"xs": XS[:, :0]}, "`xs` must hold a step and a row at least, got (30, 0)"),
        ({"loss": lambda ys: 0}, "`loss` must give floating numbers, got int"),
        (
            {"loss": lambda ys: jax.lax.complex(ys, ys)[0, 0, 0]},
            "`loss` must give floating numbers",
        ),
        (
            {"loss": lambda ys: ys},
            "`loss` must give a scalar, or a value for each step",
        ),
    ],
)
def test_errors(options, message):
    given = {"xs": XS, "loss": last} | options
    with pytest.raises(ValueError, match=re.escape(message)):
        measure(ELMAN, elman(0.5), **given)
