"""The loop against one written by hand; stops, kills and resumed runs."""

import math
import os
import signal
import subprocess
import sys
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxrnn as jr
from jaxrnn.losses import cross_entropy
from jaxrnn.training import (
    Callback,
    Checkpoints,
    MetricsFile,
    ProgressBar,
    cosine_decay,
    fit,
    init_state,
    read_rows,
    train_step,
)

pytestmark = pytest.mark.usefixtures("standard_promotion")

T, B, V, WINDOWS = 5, 3, 7, 4
MODEL = jr.Stack(jr.Embed(V, 2), jr.GRU(6), jr.Dropout(0.2), jr.Dense(V))
OPTIMIZER = optax.adam(0.02)
TEXT = np.random.default_rng(0).integers(0, V, (WINDOWS * T + 1, B))


def objective(params, batch, carry, key):
    xs, targets = batch
    return jr.unroll_loss(
        MODEL, params, xs, targets, cross_entropy, carry=carry, key=key
    )


STEP = train_step(objective, OPTIMIZER)


def batches(epoch):
    """Windows of a text, another one in each epoch."""
    text = jnp.asarray((TEXT + epoch) % V)
    return [
        (text[t : t + T], text[t + 1 : t + 1 + T]) for t in range(0, WINDOWS * T, T)
    ]


def first_state(seed=0):
    params = MODEL.init(jax.random.key(seed))
    carry = MODEL.initial_carry(params, (B,))
    return init_state(params, OPTIMIZER, jax.random.key(9), carry)


def validate(params):
    xs, targets = batches(99)[0]
    _, logits = jr.unroll(MODEL, params, xs)
    return {"valid_loss": cross_entropy(logits, targets).mean()}


def same(a, b):
    bits = lambda leaf: np.asarray(
        jax.random.key_data(leaf)
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        else leaf
    )
    jax.tree.map(lambda x, y: np.testing.assert_array_equal(bits(x), bits(y)), a, b)


def without_seconds(rows):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def test_fit_is_the_loop_that_it_says():
    fitted = fit(STEP, first_state(), batches, epochs=3, validate=validate)
    state, rows, best = first_state(), [], (math.inf, None)
    start = jax.tree.map(jnp.copy, state.carry)
    for epoch in range(3):
        state = state._replace(carry=jax.tree.map(jnp.copy, start))
        losses = []
        for batch in batches(epoch):
            state, metrics = STEP(state, batch)
            losses.append(float(metrics["loss"]))
        score = float(validate(state.params)["valid_loss"])
        best = min(
            best, (score, jax.tree.map(np.array, state.params)), key=lambda b: b[0]
        )
        rows.append((epoch + 1, int(state.step), sum(losses) / len(losses), score))
    same(fitted.state, state)
    same(fitted.best, best[1])
    found = [
        (row["epoch"], row["step"], row["loss"], row["valid_loss"])
        for row in fitted.history
    ]
    assert found == rows


def test_a_step_is_its_equations_in_any_optimizer():
    state = first_state()
    before = jax.tree.map(np.array, state._replace(key=None))
    batch = batches(0)[0]
    key = jax.random.fold_in(jax.random.key(9), 0)
    (loss, carry), gradient = jax.value_and_grad(objective, has_aux=True)(
        before.params, batch, before.carry, key
    )
    updates, _ = OPTIMIZER.update(gradient, before.opt_state, before.params)
    state, metrics = STEP(state, batch)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    jax.tree.map(close, state.params, optax.apply_updates(before.params, updates))
    jax.tree.map(close, state.carry, carry)
    close(metrics["loss"], loss)
    norm = math.sqrt(sum((np.array(g) ** 2).sum() for g in jax.tree.leaves(gradient)))
    close(metrics["gradient_norm"], norm)
    assert int(state.step) == 1


def test_the_carry_goes_on_and_no_gradient_passes_the_edge():
    # Two windows of T steps with a carry between have the value of one window of 2 T,
    # and the gradient of the second window alone.
    params = MODEL.init(jax.random.key(0))
    (xs, ys), (xs2, ys2) = batches(0)[:2]
    carry = objective(params, (xs, ys), None, None)[1]
    whole = objective(
        params, (jnp.concatenate([xs, xs2]), jnp.concatenate([ys, ys2])), None, None
    )[0]
    halves = [
        objective(params, (xs, ys), None, None)[0],
        objective(params, (xs2, ys2), carry, None)[0],
    ]
    np.testing.assert_allclose(sum(halves) / 2, whole, rtol=1e-6)


def test_the_first_state_has_arrays_of_its_own():
    params = MODEL.init(jax.random.key(0))
    carry = MODEL.initial_carry(params, (B,))
    state = init_state(params, OPTIMIZER, jax.random.key(0), carry)
    STEP(state, batches(0)[0])
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves((params, carry)))


def test_one_compilation():
    fit(STEP, first_state(), batches, epochs=1)
    compiled = STEP._cache_size()
    fit(STEP, first_state(3), batches, epochs=2, validate=validate)
    assert STEP._cache_size() == compiled


class Stop(Callback):
    """Ends a run at a step, as Ctrl-C, a kill and an error do."""

    def __init__(self, step, how):
        self.step, self.how = step, how

    def on_start(self, step):
        self.sent = step

    def on_step(self, state, batch):
        self.sent += 1
        if self.sent == self.step:
            self.how()


@pytest.mark.parametrize(
    "stopped",
    [1, 4, 5, 16, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, 8, 11))],
)
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path, stopped):
    def run(name, *more):
        return fit(
            STEP,
            first_state(),
            batches,
            epochs=4,
            validate=validate,
            checkpoints=Checkpoints(tmp_path / name),
            callbacks=[MetricsFile(tmp_path / f"{name}.jsonl", every=1), *more],
        )

    whole = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("parts", Stop(stopped, lambda: signal.raise_signal(signal.SIGINT)))
    assert Checkpoints(tmp_path / "parts").latest() == stopped
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    parts = run("parts")
    same(whole.state, parts.state)
    same(whole.best, parts.best)
    rows = [read_rows(tmp_path / f"{name}.jsonl") for name in ("whole", "parts")]
    assert without_seconds(rows[0]) == without_seconds(rows[1])
    assert len(rows[0]) == 4 * WINDOWS + 4


def test_lost_after_a_checkpoint_and_resumed_equals_uninterrupted(tmp_path):
    class Lost(Exception):
        pass

    def lose():
        raise Lost

    def run(name, *more):
        return fit(
            STEP,
            first_state(),
            batches,
            epochs=4,
            validate=validate,
            checkpoints=Checkpoints(tmp_path / name),
            checkpoint_every=0.0,
            callbacks=[MetricsFile(tmp_path / f"{name}.jsonl", every=1), *more],
        )

    whole = run("whole")
    for step in (2, 4, 7, 9, 16):
        with pytest.raises(Lost):
            run("parts", Stop(step, lose))
        assert Checkpoints(tmp_path / "parts").latest() == step - 1
        with open(tmp_path / "parts.jsonl", "a") as file:
            file.write('{"step": 3, "los')  # a row that a kill cut short
    parts = run("parts")
    same((whole.state, whole.best), (parts.state, parts.best))
    rows = [read_rows(tmp_path / f"{name}.jsonl") for name in ("whole", "parts")]
    assert without_seconds(rows[0]) == without_seconds(rows[1])


def test_two_epochs_and_then_two_more(tmp_path):
    checkpoints = Checkpoints(tmp_path / "parts")
    fit(STEP, first_state(), batches, epochs=2, checkpoints=checkpoints)
    parts = fit(STEP, first_state(), batches, epochs=4, checkpoints=checkpoints)
    whole = fit(STEP, first_state(), batches, epochs=4)
    same(parts.state, whole.state)
    assert without_seconds(parts.history) == without_seconds(whole.history[2:])
    again = fit(STEP, first_state(), batches, epochs=4, checkpoints=checkpoints)
    same(again.state, whole.state)
    assert again.history == []


def test_patience_and_the_best():
    scores = iter([3.0, 2.0, 2.5, 2.0, 1.0])
    kept = []

    def validate(params):
        kept.append(jax.tree.map(np.array, params))
        return {"score": next(scores)}

    fitted = fit(STEP, first_state(), batches, epochs=9, validate=validate, patience=2)
    assert [row["best"] for row in fitted.history] == [True, True, False, False]
    same(fitted.best, kept[1])


def test_patience_and_the_best_outlive_a_stop(tmp_path):
    scores = {WINDOWS: 3.0, 2 * WINDOWS: 2.0}
    steps = []
    note = lambda state, row: steps.append(row["step"])

    def run(epochs):
        count = iter(range(len(steps) + 1, 99))
        validate = lambda params: {"score": scores.get(WINDOWS * next(count), 2.5)}
        return fit(
            STEP,
            first_state(),
            batches,
            epochs=epochs,
            validate=validate,
            patience=2,
            checkpoints=Checkpoints(tmp_path),
            callbacks=[note],
        )

    best = run(2).best
    run(3)
    fitted = run(9)
    assert steps == [4, 8, 12, 16]
    same(fitted.best, best)


def test_limits():
    fitted = fit(STEP, first_state(), batches, steps=6)
    assert [row["step"] for row in fitted.history] == [4, 6]
    fitted = fit(STEP, first_state(), batches, seconds=0.3, epochs=10**6)
    assert fitted.history[-1]["seconds"] < 5
    with pytest.raises(ValueError, match="`fit` needs a limit"):
        fit(STEP, first_state(), batches)
    with pytest.raises(ValueError, match="`batches` must give some, got none for epo"):
        fit(STEP, first_state(), lambda epoch: [], epochs=1)


def test_a_loss_that_is_not_finite_stops_and_is_not_saved(tmp_path):
    def bad(epoch):
        scale = jnp.where(jnp.arange(WINDOWS) + 4 * epoch == 6, jnp.nan, 1.0)
        return list(zip(batches(epoch), scale, strict=True))

    def scaled(params, batch, carry, key):
        loss, carry = objective(params, batch[0], carry, key)
        return loss * batch[1].astype(loss.dtype), carry

    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(FloatingPointError, match="`loss` is nan at step 7: lower the"):
        fit(
            train_step(scaled, OPTIMIZER),
            first_state(),
            bad,
            epochs=3,
            checkpoints=checkpoints,
        )
    assert checkpoints.latest() == 4
    with pytest.raises(FloatingPointError, match="`score` is inf after step 4"):
        fit(
            STEP,
            first_state(),
            batches,
            epochs=1,
            validate=lambda params: {"score": math.inf},
        )


def test_callbacks_hear_of_everything_in_order():
    heard = []

    class Listener(Callback):
        def on_start(self, step):
            heard.append(("start", step))

        def on_step(self, state, batch):
            heard.append(("step", int(state.step), len(batch)))

        def on_metrics(self, step, metrics):
            heard.append(("metrics", step, sorted(metrics)))

        def on_epoch(self, state, row):
            heard.append(("epoch", row["epoch"], row["step"]))

        def on_end(self):
            heard.append(("end",))

    rows = []
    fit(
        STEP,
        first_state(),
        batches,
        epochs=2,
        callbacks=[Listener(), lambda state, row: rows.append(row["epoch"])],
    )
    assert rows == [1, 2]
    assert heard[0] == ("start", 0) and heard[-1] == ("end",)
    steps = [h[1] for h in heard if h[0] == "step"]
    known = [h for h in heard if h[0] == "metrics"]
    assert steps == list(range(1, 2 * WINDOWS + 1))
    assert known == [("metrics", s, ["gradient_norm", "loss"]) for s in steps]
    # Every number of an epoch is known before its row.
    assert heard.index(("epoch", 1, WINDOWS)) > heard.index(known[WINDOWS - 1])


def test_callbacks_end_however_training_ends():
    ended = []

    class Listener(Callback):
        def on_end(self):
            ended.append(True)

    def fail():
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        fit(
            STEP,
            first_state(),
            batches,
            epochs=1,
            callbacks=[Stop(2, fail), Listener()],
        )
    assert ended == [True]


def test_no_step_waits_for_the_device():
    # A step that takes long, on a device that works behind the host's back: sending
    # must go on while none is finished.
    class Slow:
        """What a step gives before it is finished."""

        def __init__(self, finished):
            self.finished = finished

        def is_ready(self):
            return self.finished.is_set()

        def block_until_ready(self):
            assert self.finished.is_set(), "waited for a step"

        def __array__(self, dtype=None, copy=None):
            return np.float32(1.0)[...]

    from jaxrnn.training.meter import Meter

    finished = threading.Event()
    meter = Meter(every=0.0, limit=50)
    for _ in range(49):
        meter.add({"loss": Slow(finished)})
        assert meter.read() == []
    finished.set()
    assert [row["loss"] for row in meter.read()] == [1.0] * 49


def test_fit_works_beside_the_main_thread():
    results = []

    def run():
        with jax.numpy_dtype_promotion("standard"):
            results.append(fit(STEP, first_state(), batches, epochs=1))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    same(results[0].state, fit(STEP, first_state(), batches, epochs=1).state)


def test_the_bar_shows_loss_speed_and_time_left(tmp_path):
    with open(tmp_path / "bar", "w+") as file:
        bar = ProgressBar(2 * WINDOWS, size=T * B, unit="char", file=file)
        fit(STEP, first_state(), batches, epochs=2, callbacks=[bar])
        file.seek(0)
        last = file.read().split("\r")[-1]
    assert "100%" in last and "char/s" in last and "loss " in last and "<00:00" in last


def test_cosine_decay():
    schedule = cosine_decay(100, warmup=9)
    state = schedule.init(None)
    factors = []
    for _ in range(120):
        update, state = schedule.update({"w": jnp.ones((), jnp.float32)}, state)
        factors.append(float(update["w"]))
    t = np.arange(120)
    cosine = (1 + np.cos(np.pi * np.minimum(t / 100, 1))) / 2
    np.testing.assert_allclose(
        factors, np.minimum((t + 1) / 10, cosine), rtol=1e-5, atol=1e-6
    )


KILLED = """
import sys, jax, numpy as np
sys.path[:0] = [{folder!r}]
import test_fit as t
from jaxrnn.training import Checkpoints, MetricsFile, fit
with jax.numpy_dtype_promotion("standard"):
    fitted = t.fit(
        t.STEP, t.first_state(), t.batches, epochs=40, validate=t.validate,
        checkpoints=Checkpoints({path!r} + "/checkpoints"), checkpoint_every=0.0,
        callbacks=[MetricsFile({path!r} + "/metrics.jsonl", every=1)],
    )
print(t.fingerprint(fitted.state))
"""


def fingerprint(state):
    leaves = jax.tree.leaves(jax.tree.map(np.array, state._replace(key=())))
    return hash(b"".join(leaf.tobytes() for leaf in leaves))


@pytest.mark.slow
def test_killed_at_any_moment_and_resumed_equals_uninterrupted(tmp_path):
    folder = os.path.dirname(__file__)

    def start(path):
        code = KILLED.format(folder=folder, path=str(path))
        environment = os.environ | {"PYTHONHASHSEED": "0", "JAX_PLATFORMS": "cpu"}
        return subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE
        )

    whole = start(tmp_path / "whole").communicate()[0]
    rng, path = np.random.default_rng(0), tmp_path / "parts"
    for _ in range(12):
        process = start(path)
        seen = Checkpoints(path / "checkpoints").latest()
        while (
            process.poll() is None
            and seen == Checkpoints(path / "checkpoints").latest()
        ):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.3))
        process.kill()
        process.communicate()
    assert start(path).communicate()[0] == whole
    rows = [read_rows(tmp_path / n / "metrics.jsonl") for n in ("whole", "parts")]
    assert without_seconds(rows[0]) == without_seconds(rows[1])
