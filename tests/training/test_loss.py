"""The loss of a sequence is that of its outputs, however it is computed."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

import jaxrnn as jr
from drawn import parameters
from laws.harness import close, finite, same_bits

# 4 divides T; its root, rounded up to 3, does not.
T, B, INPUTS, HIDDEN, CLASSES = 8, 4, 3, 6, 5
LENGTHS = np.array([8, 0, 3, 5])
BY_LENGTHS = np.arange(T)[:, None] < LENGTHS
MODEL = jr.Stack(jr.Elman(HIDDEN), jr.Dense(CLASSES + 2), param_dtype="float64")
PARAMS = parameters(MODEL, INPUTS)


def combined(ys, targets):
    """The loss of two heads: classes with weights, and a distance.

    The slope of a distance is infinite at zero, which is what stands at padding.
    """
    surprise = jr.cross_entropy(ys[..., :CLASSES], targets["label"])
    away = ys[..., CLASSES:] - targets["point"]
    return targets["weight"] * surprise + jnp.sqrt(jnp.sum(away**2, axis=-1))


def squared(y, target):
    return jnp.sum((y - target) ** 2, axis=-1)


def drawn(seed, mask=None):
    """Arguments for `graded`, all different from seed to seed."""
    rng = np.random.default_rng(seed)
    targets = {
        "label": rng.integers(CLASSES, size=(T, B)),
        "weight": rng.normal(size=(T, B)),
        "point": rng.normal(size=(T, B, 2)),
    }
    return {
        "carry": (rng.normal(size=(B, HIDDEN)), ()),
        "xs": rng.normal(size=(T, B, INPUTS)),
        "targets": targets,
        "mask": rng.random((T, B)) < 0.6 if mask is None else mask,
        "reset": rng.random((T, B)) < 0.3,
    }


def from_outputs(cell, params, xs, targets, loss, *, mask=None, **options):
    """The mean over real steps, from the outputs of the whole sequence."""
    carry, ys = jr.unroll(cell, params, xs, mask=mask, **options)
    losses = loss(ys, targets)
    mask = jnp.ones(losses.shape, bool) if mask is None else mask
    count = jnp.maximum(jnp.sum(mask), 1).astype(losses.dtype)
    return jnp.sum(jnp.where(mask, losses, 0)) / count, carry


@functools.cache
def graded(function, **options):
    """A program: value, last carry, and gradients by parameters and by the carry."""

    def objective(params, carry, xs, targets, **flags):
        rest = (params, xs, targets, combined)
        return function(MODEL, *rest, carry=carry, **flags, **options)

    with_gradients = jax.value_and_grad(objective, argnums=(0, 1), has_aux=True)
    run = jax.jit(lambda carry, **rest: with_gradients(PARAMS, carry, **rest))
    return lambda arguments: run(**arguments)


chunked = pytest.mark.parametrize(
    ("checkpoint", "reverse"),
    [
        (None, False),
        pytest.param(4, False, marks=pytest.mark.slow),
        ("sqrt", True),
    ],
)


@chunked
def test_equals_the_loss_of_the_outputs(checkpoint, reverse):
    got = graded(jr.unroll_loss, checkpoint=checkpoint, reverse=reverse)
    expected = graded(from_outputs, reverse=reverse)
    for seed in range(3):
        close(got(drawn(seed)), expected(drawn(seed)))
    everything_real = drawn(3, mask=np.ones((T, B), bool))
    close(got(everything_real), expected(everything_real))


@chunked
def test_padding_changes_no_bit(checkpoint, reverse):
    program = graded(jr.unroll_loss, checkpoint=checkpoint, reverse=reverse)
    arguments = drawn(4)

    def with_padding(**junk):
        flags = arguments["mask"]

        def put(path, a):
            mask = flags.reshape(flags.shape + (1,) * (a.ndim - 2))
            return np.where(mask, a, np.asarray(junk[path[-1].key]).astype(a.dtype))

        padded = {name: arguments[name] for name in ("xs", "targets")}
        return program(arguments | jax.tree.map_with_path(put, padded))

    expected = with_padding(xs=0.0, label=0, weight=0.0, point=0.0)
    finite(expected)
    for x, other in ((np.nan, 0.0), (1e30, np.nan), (-np.inf, np.inf)):
        got = with_padding(xs=x, label=-100, weight=other, point=other)
        same_bits(got, expected)


@chunked
def test_nothing_real(checkpoint, reverse):
    nothing = drawn(5, mask=np.zeros((T, B), bool))
    nothing["reset"] = np.zeros((T, B), bool)
    nothing["xs"] = np.full_like(nothing["xs"], np.nan)
    program = graded(jr.unroll_loss, checkpoint=checkpoint, reverse=reverse)
    (value, last), gradients = program(nothing)
    assert value == 0
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradients))
    close(last, nothing["carry"], 0)


# From here on values alone are compared: the gradients' road is the same.

_rng = np.random.default_rng(6)
XS, LABELS = _rng.normal(size=(T, B, INPUTS)), _rng.integers(CLASSES, size=(T, B))
HOLES, RESET = _rng.random((2, T, B)) < 0.5
CLASSIFIER = jr.Stack(jr.Elman(HIDDEN), jr.Dense(CLASSES), param_dtype="float64")
START = parameters(CLASSIFIER, INPUTS)
classified = functools.partial(jr.unroll_loss, CLASSIFIER, START)


def by_hand(ys, labels, mask):
    """The mean surprise of real steps, in NumPy."""
    ys, labels = np.asarray(ys)[mask], labels[mask]
    picked = np.take_along_axis(ys, labels[:, None], axis=-1)[:, 0]
    return np.mean(np.log(np.sum(np.exp(ys), axis=-1)) - picked)


def test_lengths_are_their_mask():
    options = {"reset": RESET, "checkpoint": 3}
    rest = (XS, LABELS, jr.cross_entropy)
    value, last = classified(*rest, lengths=LENGTHS, **options)
    close((value, last), classified(*rest, mask=BY_LENGTHS, **options), 0)
    _, ys = jr.unroll(CLASSIFIER, START, XS, reset=RESET, lengths=LENGTHS)
    np.testing.assert_allclose(value, by_hand(ys, LABELS, BY_LENGTHS), 1e-13)


def test_batch_major():
    options = {"mask": HOLES, "reset": RESET, "reverse": True, "checkpoint": 3}
    turned = {name: options[name].T for name in ("mask", "reset")}
    got = classified(
        XS.swapaxes(0, 1),
        LABELS.T,
        jr.cross_entropy,
        time_axis=1,
        **options | turned,
    )
    close(got, classified(XS, LABELS, jr.cross_entropy, **options), 0)


@pytest.mark.parametrize("batch", [(), (2, 3)])
def test_any_batch_axes(batch):
    rng = np.random.default_rng(3)
    xs, labels = rng.normal(size=(T, *batch, INPUTS)), rng.integers(5, size=(T, *batch))
    value, _ = classified(xs, labels, jr.cross_entropy, checkpoint=4)
    _, ys = jr.unroll(CLASSIFIER, START, xs)
    np.testing.assert_allclose(value, by_hand(ys, labels, np.ones_like(labels, bool)))


def test_a_key_draws_what_it_draws_for_outputs():
    cell = jr.Stack(jr.Dropout(0.4), jr.Elman(5), param_dtype="float64")
    params = parameters(cell, INPUTS)
    options = {"key": jax.random.key(4), "start": 9}
    _, ys = jr.unroll(cell, params, XS, **options)
    rest = (params, XS, LABELS, jr.cross_entropy)
    value, _ = jr.unroll_loss(cell, *rest, checkpoint=4, **options)
    expected = by_hand(ys, LABELS, np.ones((T, B), bool))
    np.testing.assert_allclose(value, expected, 1e-13)


def test_a_cell_that_reads_later_inputs():
    cell = jr.Bidirectional(jr.Elman(2), jr.Elman(3), param_dtype="float64")
    params = parameters(cell, INPUTS)
    targets = np.random.default_rng(7).normal(size=(T, B, 5))

    def run(function, **options):
        def objective(params):
            rest = (params, XS, targets, squared)
            return function(cell, *rest, mask=HOLES, reset=RESET, **options)

        return jax.jit(jax.value_and_grad(objective, has_aux=True))(params)

    close(run(jr.unroll_loss, checkpoint=4), run(from_outputs))


@pytest.mark.parametrize("checkpoint", [None, 4])
def test_a_loss_may_have_parameters_of_its_own(checkpoint):
    """Padding does not reach them either."""
    targets = np.random.default_rng(8).normal(size=(T, B, CLASSES))
    targets[~HOLES] = np.nan

    def objective(scale):
        loss = lambda y, target: scale**2 * squared(y, target)
        return classified(XS, targets, loss, mask=HOLES, checkpoint=checkpoint)[0]

    value, slope = jax.value_and_grad(objective)(jnp.asarray(1.5))
    np.testing.assert_allclose(slope, 2 * value / 1.5, 1e-12)


def test_reductions():
    each, mean, total = (
        classified(XS, LABELS, jr.cross_entropy, mask=HOLES, reduction=name)[0]
        for name in ("none", "mean", "sum")
    )
    each = np.asarray(each)
    assert each.shape == (T, B) and not each[~HOLES].any() and each[HOLES].all()
    np.testing.assert_allclose(total, np.sum(each), 1e-13)
    np.testing.assert_allclose(mean, np.mean(each[HOLES]), 1e-13)


@pytest.mark.parametrize("checkpoint", [None, "sqrt"])
def test_no_steps(checkpoint):
    rest = (XS[:0], LABELS[:0], jr.cross_entropy)
    value, last = classified(*rest, checkpoint=checkpoint)
    assert value == 0 and not last[0].any()


def test_the_loss_is_traced_once_a_shape():
    traces = []

    def loss(ys, labels):
        traces.append(ys.shape)
        return jr.cross_entropy(ys, labels)

    for shift in range(3):
        classified(XS + shift, LABELS, loss)
    assert traces == [(T, B, CLASSES)]


# Logits of the whole sequence are what does not fit: [100_000, 16, 64] is 400 MB.


def sizes(jaxpr):
    """The number of elements of every array that a program makes."""
    for equation in jaxpr.eqns:
        yield from (v.aval.size for v in equation.outvars if hasattr(v.aval, "size"))
        for inner in jaxprs_in_params(equation.params):
            yield from sizes(inner)


def gradient_of(steps, batch, classes, checkpoint):
    """A gradient as a function, and the shapes of its arguments."""
    cell = jr.Stack(jr.Embed(classes, 3), jr.Elman(4), jr.Dense(classes))
    params = jax.eval_shape(cell.init, jax.random.key(0))
    text = jax.ShapeDtypeStruct((steps, batch), np.int32)

    def objective(params, text, following):
        rest = (text, following, jr.cross_entropy)
        return jr.unroll_loss(cell, params, *rest, checkpoint=checkpoint)

    return jax.grad(objective, has_aux=True), (params, text, text)


@pytest.mark.parametrize(("checkpoint", "exist"), [("sqrt", False), (None, True)])
def test_logits_of_the_whole_sequence_never_exist(checkpoint, exist):
    steps, batch, classes = 64, 2, 32
    gradient, shapes = gradient_of(steps, batch, classes, checkpoint)
    largest = max(sizes(jax.make_jaxpr(gradient)(*shapes).jaxpr))
    assert (largest >= steps * batch * classes) == exist


def test_memory_is_far_below_that_of_the_logits():
    steps, batch, classes = 4096, 2, 128
    gradient, shapes = gradient_of(steps, batch, classes, "sqrt")
    memory = jax.jit(gradient).lower(*shapes).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 4 * steps * batch * classes / 8


@pytest.mark.parametrize(
    ("targets", "options", "error", "message"),
    [
        (
            LABELS.T,
            {},
            ValueError,
            "`targets` must start with the axes (T, *batch) = (8, 4) of `xs`, "
            "got shape (4, 8)",
        ),
        (
            {"label": LABELS, "weight": LABELS[0]},
            {},
            ValueError,
            "`targets` must start with the axes (T, *batch) = (8, 4) of `xs`, "
            "got shape (4,)",
        ),
        (
            LABELS[1:],
            {"checkpoint": 3},
            ValueError,
            "`targets` must start with the axes (T, *batch) = (8, 4) of `xs`, "
            "got shape (7, 4)",
        ),
        (
            LABELS,
            {"reduction": "average"},
            ValueError,
            "`reduction` must be one of 'mean', 'sum', 'row mean', 'none', "
            "got 'average'",
        ),
        (
            LABELS,
            {"checkpoint": "root"},
            ValueError,
            "`checkpoint` must be a number of steps or 'sqrt', got 'root'",
        ),
        (
            LABELS,
            {"lengths": LENGTHS, "mask": HOLES},
            ValueError,
            "give `lengths` or `mask`, not both",
        ),
        (
            LABELS.astype(float),
            {},
            ValueError,
            "floating `labels` must have the shape of `logits`, (8, 4, 5), one weight "
            "a class, got (8, 4)",
        ),
    ],
)
def test_bad_arguments(targets, options, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        classified(XS, targets, jr.cross_entropy, **options)


@pytest.mark.parametrize("checkpoint", [None, 3])
@pytest.mark.parametrize(
    "loss", [lambda y, label: jnp.mean(y), lambda y, label: y**2], ids=["one", "many"]
)
def test_a_loss_must_give_one_value_a_step(loss, checkpoint):
    with pytest.raises(ValueError, match="`loss` must"):
        classified(XS, LABELS, loss, checkpoint=checkpoint)


@pytest.mark.parametrize(
    "loss",
    [jr.unroll_loss, functools.partial(jr.tbptt_loss, every=3, back=5)],
    ids=["unroll_loss", "tbptt_loss"],
)
def test_linear_cells_go_by_the_method_asked_for(loss):
    cell = jr.MinGRU(HIDDEN, param_dtype="float64")
    params, arguments = parameters(cell, INPUTS), drawn(5)
    targets = np.random.default_rng(6).normal(size=(T, B, HIDDEN))
    rest = {name: arguments[name] for name in ("mask", "reset")}

    def graded(method):
        value = lambda params: loss(
            cell, params, arguments["xs"], targets, squared, method=method, **rest
        )
        return jax.jit(jax.value_and_grad(value, has_aux=True))

    close(graded("associative")(params), graded("scan")(params))
    scans = lambda method: str(jax.make_jaxpr(graded(method))(params)).count("scan[")
    assert scans("associative") < scans("scan")
    with pytest.raises(ValueError, match="needs a linear cell"):
        given = (PARAMS, arguments["xs"], arguments["targets"], combined)
        loss(MODEL, *given, method="associative")
