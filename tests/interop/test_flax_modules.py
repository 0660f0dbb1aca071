"""Cells as Flax modules, and Flax modules as cells."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

import jaxrnn as jr
from interop.weights import params_of
from laws.case import Case, loop
from laws.harness import close

KEY = jax.random.key(0)
T, B, N, H = 4, 3, 2, 5
rng = np.random.default_rng(0)
XS = rng.normal(size=(T, B, N))
as_cell, flax = jr.interop.flax.as_cell, jr.interop.flax
CELL = jr.Stack(
    jr.LSTM(H, param_dtype="float64"), jr.Dropout(0.5), jr.GRU(3, param_dtype="float64")
)
pytestmark = pytest.mark.usefixtures("standard_promotion")


@pytest.fixture(scope="module")
def params():
    return params_of(CELL, N)


@pytest.mark.slow
def test_a_cell_steps_inside_linens_rnn(params):
    layer = linen.RNN(flax.linen_module(CELL), return_carry=True, time_major=True)
    own = layer.init(KEY, XS)["params"]["cell"]["weights"]
    assert jax.tree.structure(own) == jax.tree.structure(params)
    variables = {"params": {"cell": {"weights": params}}}
    close(layer.apply(variables, XS), jr.unroll(CELL, params, XS))


@pytest.mark.slow
def test_a_cell_steps_inside_nnxs_rnn(params):
    layer = nnx.RNN(
        flax.nnx_module(CELL, params=params), return_carry=True, time_major=True
    )
    close(layer(XS), jr.unroll(CELL, params, XS))


@pytest.mark.slow
def test_gradients_through_a_flax_module_are_those_of_the_cell(params):
    module = flax.linen_module(CELL)
    through = lambda p: module.apply({"params": {"weights": p}}, XS, method="unroll")[1]
    plain = lambda p: jr.unroll(CELL, p, XS)[1]
    total = lambda f: jax.grad(lambda p: jnp.sum(jnp.sin(f(p))))(params)
    close(total(through), total(plain))
    made = flax.nnx_module(CELL, params=params)
    close(made.params, params)
    grads = nnx.grad(lambda m: jnp.sum(jnp.sin(m.unroll(XS)[1])))(made)
    got = jax.tree.leaves(jax.tree.map(jnp.asarray, nnx.to_pure_dict(grads)))
    for a, b in zip(got, jax.tree.leaves(total(plain)), strict=True):
        close(a, b)


@pytest.mark.slow
def test_both_directions_and_lengths_inside_a_flax_model():
    class Tagger(linen.Module):
        @linen.compact
        def __call__(self, xs, lengths):
            both = jr.Bidirectional(jr.LSTM(H))
            _, ys = flax.linen_module(both).unroll(xs, lengths=lengths)
            return linen.Dense(7)(ys)

    lengths = np.array([4, 0, 2])
    ys, variables = Tagger().init_with_output(KEY, XS, lengths)
    weights = variables["params"]["Recurrent_0"]["weights"]
    _, inner = jr.unroll(jr.Bidirectional(jr.LSTM(H)), weights, XS, lengths=lengths)
    dense = variables["params"]["Dense_0"]
    close(ys, inner @ dense["kernel"] + dense["bias"], 1e-5)


def test_dropout_wants_a_key(params):
    module, variables = flax.linen_module(CELL), {"params": {"weights": params}}
    run = lambda **rngs: module.apply(variables, XS, rngs=rngs, method="unroll")[1]
    np.testing.assert_array_equal(run(), run())
    assert np.any(run(dropout=KEY) != run())


@pytest.mark.slow
def test_an_nnx_module_draws_from_its_own_numbers(params):
    module = flax.nnx_module(CELL, params=params, rngs=nnx.Rngs(0))
    assert np.any(module.unroll(XS)[1] != module.unroll(XS)[1])
    close(module.unroll(XS, key=KEY), jr.unroll(CELL, params, XS, key=KEY))
    steps = nnx.RNN(module, time_major=True)
    assert np.any(steps(XS) != steps(XS))
    module.eval()
    close(module.unroll(XS), jr.unroll(CELL, params, XS))
    still = flax.nnx_module(CELL, params=params)
    still.train()
    with pytest.raises(ValueError, match="is in training, and has no noise to draw"):
        still.unroll(XS)
    with pytest.raises(ValueError, match="`rngs` or `params` must be given"):
        flax.nnx_module(CELL, N)


@pytest.mark.slow
def test_a_learned_start_is_read_from_the_parameters():
    cell = jr.LearnedCarry(jr.GRU(H))
    layer = linen.RNN(flax.linen_module(cell), return_carry=True, time_major=True)
    params = jax.tree.map(lambda a: a + 0.3, cell.init(KEY, N))
    xs = XS.astype("float32")
    got = layer.apply({"params": {"cell": {"weights": params}}}, xs)
    close(got, jr.unroll(cell, params, xs), 1e-5)


class Block(nnx.Module):
    """Attention over the parts of one step's input, with dropout."""

    def __init__(self, rngs):
        options = {"param_dtype": jnp.float64, "dtype": jnp.float64, "rngs": rngs}
        self.attention = nnx.MultiHeadAttention(2, 4, decode=False, **options)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        return self.dropout(self.attention(x)).reshape(len(x), -1)


WEIGHTS = {"kernel": np.ones((N, 2)), "bias": np.ones(2)}
F64 = {"param_dtype": jnp.float64}
MODULES = {
    "linen_dense": (linen.Dense(6, **F64), (N,)),
    "linen_cnn": (
        linen.Sequential(
            [linen.Conv(2, (3,), **F64), linen.relu, lambda x: x.reshape(len(x), -1)]
        ),
        (5, 2),
    ),
    "nnx_attention": (Block(nnx.Rngs(0)), (3, 4)),
    "linen_mgu": (linen.MGUCell(H, **F64), (N,)),
    "linen_lstm": (linen.OptimizedLSTMCell(H, **F64), (N,)),
    "nnx_gru": (nnx.GRUCell(N, H, dtype=jnp.float64, rngs=nnx.Rngs(0), **F64), (N,)),
}


@pytest.mark.slow
@pytest.mark.parametrize("module, size", MODULES.values(), ids=MODULES)
def test_a_flax_module_obeys_the_laws(module, size):
    cell = jr.Stack(
        as_cell(module, input_ndim=len(size)), jr.GRU(3, param_dtype="float64")
    )
    params = cell.init(KEY, size if len(size) > 1 else size[0])
    params = jax.tree.map(lambda a: jnp.asarray(rng.normal(size=a.shape) * 0.4), params)
    xs = rng.normal(size=(T, B, *size))
    carry, ys, _ = loop(Case(cell, params, xs, (B,)))
    close(jr.unroll(cell, params, xs), (carry, ys), 1e-10)
    lengths = np.array([4, 0, 2])
    dirty = np.where(
        (np.arange(T)[:, None] < lengths).reshape(T, B, *[1] * len(size)), xs, np.nan
    )
    run = lambda p, xs: jnp.sum(jnp.sin(jr.unroll(cell, p, xs, lengths=lengths)[1]))
    got, grads = jax.value_and_grad(run)(params, dirty)
    assert np.isfinite(got)
    step = jax.tree.map(lambda a: rng.normal(size=a.shape), params)
    move = lambda e: jax.tree.map(lambda p, s: p + e * s, params, step)
    # A step this wide, for Flax computes its attention in float32.
    slope = (run(move(1e-3), xs) - run(move(-1e-3), xs)) / 2e-3
    along = sum(jax.tree.leaves(jax.tree.map(lambda g, s: jnp.sum(g * s), grads, step)))
    assert along == pytest.approx(float(slope), rel=1e-3, abs=1e-5)


def test_an_nnx_layer_starts_with_what_its_module_holds():
    module = nnx.Linear(N, 4, rngs=nnx.Rngs(3))
    params = as_cell(module).init(KEY, N)
    np.testing.assert_array_equal(params["kernel"], module.kernel[...])


@pytest.mark.slow
def test_an_attention_blocks_dropout_draws_by_the_key():
    cell = as_cell(Block(nnx.Rngs(0)), input_ndim=2)
    params = cell.init(KEY, (3, 4))
    xs = rng.normal(size=(T, B, 3, 4))
    still = jr.unroll(cell, params, xs)[1]
    np.testing.assert_array_equal(still, jr.unroll(cell, params, xs)[1])
    noisy = jr.unroll(cell, params, xs, key=KEY)[1]
    np.testing.assert_array_equal(noisy, jr.unroll(cell, params, xs, key=KEY)[1])
    assert np.mean(np.asarray(noisy) == 0) > 0.3 and not np.any(np.asarray(still) == 0)


class Noisy(linen.GRUCell):
    def __call__(self, carry, x, deterministic=True):
        return super().__call__(carry, x)


class NoisyToo(nnx.GRUCell):
    def __init__(self, *sizes, rngs):
        super().__init__(*sizes, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)


def test_a_recurrent_module_with_noise_is_refused_by_name():
    for module in (Noisy(H), NoisyToo(N, H, rngs=nnx.Rngs(0))):
        with pytest.raises(ValueError, match=r"^Noisy.* to be told `deterministic`"):
            as_cell(module)


@pytest.mark.slow
def test_a_carry_may_be_an_image():
    module = linen.ConvLSTMCell(2, (3, 3), **F64)
    with pytest.raises(ValueError, match="`input_ndim` must be 3 for ConvLSTMCell, go"):
        as_cell(module)
    cell = as_cell(module, input_ndim=3)
    xs = rng.normal(size=(T, B, 5, 4, 1))
    params = cell.init(KEY, (5, 4, 1))
    layer = linen.RNN(module, time_major=True)
    close(jr.unroll(cell, params, xs)[1], layer.apply({"params": {"cell": params}}, xs))


def twice(x):
    return x + x


def test_functions_are_known_by_themselves_and_not_by_their_names():
    def relu(x):
        return x

    read = lambda function: flax.read(
        linen.Sequential([linen.Dense(2), function]), {"params": {"layers_0": WEIGHTS}}
    )[0]
    assert read(linen.relu).cells[1] == jr.Map("relu")
    assert read(twice).cells[1] == jr.Map(twice)
    for function in (relu, lambda x: x):
        with pytest.raises(ValueError, match="in a Sequential has no counterpart: giv"):
            read(function)


def test_other_merges_are_refused():
    def _concatenate(a, b):
        return a

    side = lambda: linen.RNN(linen.GRUCell(H))
    with pytest.raises(ValueError, match="`merge_fn=_concatenate` of Bidirectional"):
        flax.read(linen.Bidirectional(side(), side(), merge_fn=_concatenate), {})
    sums = jr.Bidirectional(jr.GRU(H, "after"), merge="sum")
    params = params_of(sums, N)
    module = linen.Bidirectional(side(), side())
    with pytest.raises(ValueError, match=r"^the module is Bidirectional"):
        flax.write(sums, params, into=module)


def test_other_state_is_refused_by_name():
    with pytest.raises(ValueError, match=r"^BatchNorm keeps `batch_stats` beside"):
        as_cell(linen.BatchNorm(use_running_average=True)).init(KEY, N)
    with pytest.raises(ValueError, match=r"^BatchNorm keeps `BatchStat` beside"):
        as_cell(nnx.BatchNorm(N, rngs=nnx.Rngs(0))).init(KEY, N)
    with pytest.raises(TypeError, match="must be a module of Flax, got object"):
        as_cell(object())


@pytest.mark.parametrize(
    "module, message",
    [
        (linen.Conv(H, (3,)), "^Conv of flax.linen has no counterpart: known are"),
        (linen.SimpleCell(H, residual=True), "^`residual=True` of SimpleCell"),
        (linen.MGUCell(H, gate_fn=linen.relu), "^`gate_fn=relu` of MGUCell"),
        (linen.MGUCell(H, reset_gate=False), "^`reset_gate=False` of MGUCell"),
        (linen.RNN(linen.GRUCell(H), reverse=True), "^`reverse=True` of RNN"),
    ],
)
def test_what_has_no_counterpart_is_named(module, message):
    with pytest.raises(ValueError, match=message):
        flax.read(module, {"params": {}})


def test_a_module_takes_only_its_own_weights():
    params = params_of(jr.LSTM(H, peepholes=True), N)
    with pytest.raises(ValueError, match=r"^the module is LSTM.5., which has no"):
        flax.write(jr.LSTM(H, peepholes=True), params, into=linen.LSTMCell(H))
    gru = jr.GRU(H, "after")
    params = params_of(gru, N)
    with pytest.raises(ValueError, match=r"^`recurrent_bias` of .* has no counterpart"):
        flax.write(gru, params, into=nnx.GRUCell(N, H, rngs=nnx.Rngs(0)))
