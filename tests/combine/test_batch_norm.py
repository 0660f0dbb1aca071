"""Statistics of real steps in training, averages in evaluation."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from laws.harness import close, finite, same_bits

T, B, N = 6, 4, 3
_rng = np.random.default_rng(0)
XS = _rng.normal(2.0, 3.0, size=(T, B, N))
MASK = _rng.random((T, B)) < 0.6
KEY = jax.random.key(1)
LAYER = jr.BatchNorm(param_dtype="float64")
PARAMS = parameters(LAYER, N)
AVERAGES = {"mean": _rng.normal(size=N), "variance": _rng.uniform(1, 2, size=N)}
CONTEXT = {"averages": {"batch_norm": AVERAGES}}


def normalised(xs, mean, variance):
    return (xs - mean) / np.sqrt(variance + 1e-5) * PARAMS["scale"] + PARAMS["bias"]


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "some"])
def test_training_normalises_by_the_real_steps(mask):
    real = XS.reshape(-1, N) if mask is None else XS[mask]
    ys = normalised(XS, real.mean(axis=0), real.var(axis=0))
    ys = ys if mask is None else np.where(mask[..., None], ys, 0)
    got = jr.unroll(LAYER, PARAMS, XS, key=KEY, mask=mask)
    close(got, ((), ys))
    (layer,) = jr.batch_statistics(LAYER, PARAMS, XS, key=KEY, mask=mask).values()
    close(layer, {"mean": real.mean(axis=0), "variance": real.var(axis=0)})


def test_padding_reaches_neither_values_nor_gradients():
    @jax.jit
    def run(xs):
        def value(params, xs):
            _, ys = jr.unroll(LAYER, params, xs, key=KEY, mask=MASK)
            return jnp.sum(jnp.sin(ys)), ys

        return jax.value_and_grad(value, (0, 1), has_aux=True)(PARAMS, xs)

    clean = run(np.where(MASK[..., None], XS, 0))
    for garbage in (np.nan, np.inf, 1e30):
        same_bits(run(np.where(MASK[..., None], XS, garbage)), clean)


@pytest.mark.parametrize("lengths", [np.zeros(B, int), np.eye(1, B, dtype=int)[0]])
def test_of_no_step_or_one_all_is_finite(lengths):
    def value(params, xs):
        return jr.unroll(LAYER, params, xs, key=KEY, lengths=lengths)[1].sum()

    value, grads = jax.jit(jax.value_and_grad(value, (0, 1)))(PARAMS, XS)
    finite((value, grads), 1e4)
    # One step alone is its own mean: what is left of it is the bias.
    close(value, float(np.sum(PARAMS["bias"])) * lengths.sum())


def test_evaluation_and_steps_use_the_averages():
    ys = normalised(XS, AVERAGES["mean"], AVERAGES["variance"])
    close(jr.unroll(LAYER, PARAMS, XS, context=CONTEXT), ((), ys))
    ready = LAYER.prepare(PARAMS, context=CONTEXT)
    for key in (None, KEY):  # a step alone has no statistics
        close(LAYER.step(ready, (), XS[0], key=key), ((), ys[0]))


def test_averages_are_no_parameters():
    model = jr.Stack(jr.Dense(5), LAYER, jr.LSTM(4))
    assert sorted(parameters(model, N)[1]) == ["bias", "scale"]
    assert not LAYER.causal and not model.causal and not LAYER.has_memory


def test_statistics_of_all_layers_in_a_model():
    """Each normalises what the layers before it put out in the same training run."""
    inner = jr.Residual(jr.Stack(jr.Dropout(0.3), jr.BatchNorm("inner"), jr.Dense(N)))
    model = jr.Stack(jr.BatchNorm(), inner, jr.Elman(4), param_dtype="float64")
    params = parameters(model, N)
    options = {"key": KEY, "mask": MASK}
    statistics = jr.batch_statistics(model, params, XS, **options)
    assert sorted(statistics) == ["batch_norm", "inner"]
    # A training run is one by these statistics, were they known before.
    _, trained = jr.unroll(model, params, XS, **options)
    averages = {"averages": statistics}
    ready = model.prepare(params, context=averages, key=jr.sequence_key(KEY))
    carry = model.initial_carry(ready, (B,))
    step = jax.jit(model.step)
    for t in range(T):
        if MASK[t].all():
            raise AssertionError("a row must be padded, or masks are not tested")
        x = np.where(MASK[t][:, None], XS[t], 0)
        new, y = step(ready, carry, x, key=jax.random.fold_in(KEY, t))
        hold = lambda a, b, t=t: np.where(MASK[t][:, None], a, b)
        carry = jax.tree.map(hold, new, carry)
        close(np.where(MASK[t][:, None], y, 0), trained[t])


def test_checkpointing_leaves_it_whole():
    model = jr.Stack(LAYER, jr.Elman(4), param_dtype="float64")
    params = (PARAMS, parameters(model.cells[1], N))
    options = {"key": KEY, "mask": MASK}
    close(
        jr.unroll(model, params, XS, checkpoint=2, **options),
        jr.unroll(model, params, XS, **options),
    )


TWICE = jr.Stack(jr.BatchNorm(), jr.BatchNorm())
ERRORS = {
    "no_averages": (
        lambda: jr.unroll(jr.Stack(LAYER), (PARAMS,), XS),
        f"layer 0 of Stack, {LAYER}: {LAYER} needs averages in evaluation and in "
        "`step`, as `batch_statistics` gives them: context={'averages': {'batch_norm': "
        "...}}",
    ),
    "one_name_for_two": (
        lambda: jr.batch_statistics(TWICE, (PARAMS, PARAMS), XS, key=KEY),
        f"layer 1 of Stack, {TWICE.cells[1]}: two layers are called 'batch_norm': give "
        "each `BatchNorm` a `name` of its own",
    ),
    "in_a_cell_that_steps": (
        lambda: jr.Zoneout(jr.Stack(jr.BatchNorm(), jr.LSTM(4)), 0.1),
        "`Zoneout` needs a cell that can step, got Stack(BatchNorm(), LSTM(4))",
    ),
    "windows": (
        lambda: jr.tbptt_loss(
            LAYER, PARAMS, XS, XS, lambda y, t: y.sum(-1), every=2, key=KEY
        ),
        "truncated backpropagation needs a cell that can step, not BatchNorm(",
    ),
}


@pytest.mark.parametrize("call, message", ERRORS.values(), ids=ERRORS.keys())
def test_errors(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        call()
