"""Linear cells of any kind, and where their steps are combined."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from jaxrnn.unroll.run import Run
from laws.harness import close

T, B, N, H = 9, 4, 3, 5
RNG = np.random.default_rng(0)
XS = RNG.normal(size=(T, B, N))
FLAGS = {"mask": RNG.random((T, B)) < 0.7, "reset": RNG.random((T, B)) < 0.3}


class Rotated(jr.LinearCell):
    """h = h' A(x) + b(x): an element is a matrix of its own and a vector."""

    hidden_size: int

    def init(self, key, input_size=None):
        H, draw = self.hidden_size, jax.random.normal
        return {"turn": draw(key, (input_size, H * H)), "b": draw(key, (input_size, H))}

    def project(self, ready, x, *, key=None):
        A = jr.matmul(x, ready["turn"])
        A = jnp.tanh(A.reshape(*A.shape[:-1], self.hidden_size, self.hidden_size))
        return A, jr.matmul(x, ready["b"])

    def times(self, a, h):
        return (h[..., None, :] @ a)[..., 0, :]

    def combine(self, first, second):
        (A, b), (C, d) = first, second
        return A @ C, self.times(C, b) + d

    def identity(self, elements):
        A, b = elements
        eye = jnp.eye(self.hidden_size, dtype=A.dtype)
        return jnp.broadcast_to(eye, A.shape), jnp.zeros_like(b)


class Highest(jr.LinearCell):
    """h = max(h', x): not a sum at all."""

    hidden_size: int

    def init(self, key, input_size=None):
        return {"scale": jnp.ones(self.hidden_size, jnp.float32)}

    def project(self, ready, x, *, key=None):
        return x * ready["scale"]

    def combine(self, first, second):
        return jnp.maximum(first, second)

    def apply(self, carry, element):
        return jnp.maximum(carry, element)

    def identity(self, elements):
        return jnp.full_like(elements, -jnp.inf)


MODELS = {
    "matrices": (Rotated(H), N),
    "maxima": (Highest(N), N),
    "stack": (jr.Stack(jr.LSTM(H), jr.MinGRU(6), jr.Dense(2)), N),
    "both_directions": (jr.Bidirectional(jr.LRU(H, 2), jr.QRNN(6, window=3)), N),
    "learned_carry": (jr.LearnedCarry(jr.QRNN(H, window=3)), N),
    "residual": (jr.Residual(jr.SRU(N)), N),
}


@pytest.mark.parametrize(
    "reverse",
    [
        pytest.param(False, id="forwards", marks=pytest.mark.slow),
        pytest.param(True, id="backwards"),
    ],
)
@pytest.mark.parametrize("model, size", MODELS.values(), ids=MODELS)
def test_combined_steps_are_a_scan(model, size, reverse):
    params = jax.tree.map(jnp.float64, parameters(model, size))
    run = lambda method: jr.unroll(
        model, params, XS, method=method, reverse=reverse, **FLAGS
    )
    close(run("associative"), run("scan"))


def test_nothing_of_a_segment_reaches_the_next_not_even_nan():
    cell, edge = jr.MinGRU(H), 4
    params = parameters(cell, N)
    reset = np.zeros((T, B), bool)
    reset[edge] = True
    spoiled = XS.astype("float32")
    spoiled[:edge] = np.nan
    run = lambda xs, **options: jr.unroll(cell, params, xs, **options)
    carry, ys = run(spoiled, method="associative", reset=reset)
    close((carry, ys[edge:]), run(spoiled[edge:], method="scan"), 1e-6)


@pytest.fixture
def roads(monkeypatch):
    """The cells that the engine combines or scans, as it comes to them."""
    taken = []

    def watched(name):
        road = getattr(Run, name)

        def run(self, cell, *args):
            taken.append((name, type(cell).__name__))
            return road(self, cell, *args)

        monkeypatch.setattr(Run, name, run)

    watched("associative")
    watched("scan")
    yield taken
    jax.clear_caches()  # what was compiled here may have been told of another machine


def taken_by(model, method, roads, key=None):
    params = parameters(model, N)
    jax.clear_caches()
    jr.unroll(model, params, XS.astype("float32"), method=method, key=key)
    return roads


def test_in_a_stack_the_linear_layers_are_combined(roads):
    model = jr.Stack(jr.LSTM(H), jr.MinGRU(6), jr.QRNN(4))
    assert taken_by(model, "associative", roads) == [
        ("scan", "LSTM"),
        ("associative", "MinGRU"),
        ("associative", "_Window"),
        ("associative", "_Pooling"),
    ]


@pytest.mark.parametrize(
    "wrapper",
    [
        jr.Zoneout(jr.MinGRU(H), 0.3),
        jr.VariationalDropout(jr.LRU(H, 4), state=0.3),
        jr.SkipThroughTime(jr.MinLSTM(H), k=2),
    ],
    ids=lambda wrapper: type(wrapper).__name__,
)
def test_what_comes_between_steps_is_scanned(wrapper, roads):
    taken = taken_by(wrapper, "associative", roads, jax.random.key(0))
    assert taken == [("scan", type(wrapper).__name__)]


def test_a_scan_can_be_asked_for(roads):
    assert taken_by(jr.MinGRU(H), "scan", roads) == [("scan", "MinGRU")]


def test_without_a_linear_cell_there_is_nothing_to_combine():
    cell = jr.LSTM(H)
    with pytest.raises(ValueError) as raised:
        jr.unroll(cell, parameters(cell, N), XS, method="associative")
    assert str(raised.value) == (
        "`method='associative'` needs a linear cell, such as `LRU` or `MinGRU`, "
        "got LSTM(5)"
    )


@pytest.mark.parametrize("steps", [0, 1])
def test_few_steps_need_no_combination(steps):
    cell = jr.MinGRU(H)
    params = parameters(cell, N)
    run = lambda method: jr.unroll(cell, params, XS[:steps], method=method)
    close(run("associative"), run("scan"))


def test_a_broken_carry_is_told_the_contract():
    class Broken(jr.MinGRU):
        def initial_carry(self, ready, batch_shape):
            return jnp.zeros((*batch_shape, 1), "float32")

    cell = Broken(H)
    with pytest.raises(ValueError, match="must return a carry like the one it got"):
        jr.unroll(cell, parameters(cell, N), XS.astype("float32"), method="associative")


def test_auto_combines_where_it_measured_faster(roads, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert taken_by(jr.MinGRU(H), "auto", roads) == [("associative", "MinGRU")]
