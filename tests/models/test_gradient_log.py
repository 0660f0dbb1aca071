"""Gradient flow while a model trains: what is written, and that it changes nothing."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxrnn as jr
from jaxrnn.__main__ import main
from jaxrnn.data import Window
from jaxrnn.gradflow import GradientFlow, update_ratios
from jaxrnn.models import GradientLog, language_look, language_objective
from jaxrnn.models.gradient_page import draw
from jaxrnn.training import clip, read_rows

pytestmark = pytest.mark.usefixtures("as_a_user_runs_it")

MODEL = jr.Stack(jr.Embed(5, 3), jr.LSTM(4), jr.Dense(5))
LIMIT = 0.4


def windows(epoch):
    ids = np.random.default_rng(epoch).integers(5, size=(6, 8, 3))
    return [Window(xs[:-1], xs[1:], np.ones((7, 3), bool)) for xs in ids]


def train(*callbacks):
    params = MODEL.init(jax.random.key(0))
    carry = MODEL.initial_carry(MODEL.prepare(params), (3,))
    optimizer = optax.chain(clip(LIMIT), optax.adam(0.1))
    state = jr.init_state(params, optimizer, jax.random.key(1), carry)
    step = jr.train_step(language_objective(MODEL), optimizer)
    return jr.fit(step, state, windows, epochs=2, callbacks=callbacks)


class Notes(jr.training.Callback):
    def __init__(self):
        self.params, self.norms = [], []

    def on_step(self, state, batch):
        self.params.append(jax.tree.map(jnp.copy, state.params))

    def on_metrics(self, step, metrics):
        self.norms.append(metrics["gradient_norm"])


@pytest.mark.slow
def test_what_it_writes(tmp_path):
    path, notes, look = (
        tmp_path / "flow.jsonl",
        Notes(),
        language_look(MODEL, streams=2),
    )
    plain, page = train(notes), tmp_path / "page.png"
    limit = float(np.median(notes.norms))
    log = GradientLog(path, look, every=4, limit=limit, picture=page)
    fitted = train(log)
    for a, b in zip(*map(jax.tree.leaves, (plain.best, fitted.best)), strict=True):
        np.testing.assert_array_equal(a, b)
    rows = read_rows(path)
    assert [row["step"] for row in rows] == [4, 8, 12]
    for row in rows:
        step = row["step"]
        norms = notes.norms[step - 4 : step]
        assert row["gradient_norm"] == pytest.approx(norms[-1], rel=1e-3)
        assert row["clipped"] == np.mean(np.array(norms) > limit)
        before, after = notes.params[step - 2 : step]
        ratios = update_ratios(before, jax.tree.map(jnp.subtract, after, before))
        expected = float(ratios[1]["recurrent_kernel"])
        assert row["updates"]["1.recurrent_kernel"] == pytest.approx(expected, rel=1e-3)
        (layer,) = row["layers"].values()
        assert list(row["layers"]) == ["1 LSTM"]
        assert layer["gates"].keys() == {"input", "forget", "output"}
        assert len(layer["norms"]["cell"]) == 7 and len(layer["reach"]) == 7
        assert row["verdict"].startswith("1 LSTM: gradients")
    assert 0 < sum(row["clipped"] for row in rows) < 3
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def test_a_look_is_at_what_the_step_began_with(tmp_path):
    """Also of the first step of an epoch, whose carry is the first again."""
    path, began = tmp_path / "flow.jsonl", []

    def look(state, batch):
        began.append(jax.tree.map(jnp.copy, (state.params, state.carry)))
        return GradientFlow(jnp.zeros(()), {}, jnp.ones(3, jnp.int32), jnp.ones(2))

    notes = Notes()
    train(GradientLog(path, look, every=1), notes)
    assert len(began) == 12
    for (params, _), left in zip(began[1:], notes.params, strict=False):
        jax.tree.map(np.testing.assert_array_equal, params, left)
    start = MODEL.initial_carry(MODEL.prepare(began[0][0]), (3,))
    for place in (0, 6):
        jax.tree.map(np.testing.assert_array_equal, began[place][1], start)
    assert any(map(np.any, jax.tree.leaves(began[1][1])))
    rows = read_rows(path)
    assert all(row["updates"]["1.recurrent_kernel"] > 0 for row in rows)
    assert all(row["clipped"] is None for row in rows)


@pytest.mark.slow
def test_a_page_without_clips_and_without_memories(tmp_path):
    row = {"step": 1, "gradient_norm": 0.1, "clipped": None, "updates": {}}
    draw(tmp_path / "page.png", [row | {"layers": {}, "verdict": "No memory."}])
    assert (tmp_path / "page.png").exists()


def test_a_run_that_goes_on_drops_what_came_after(tmp_path):
    path = tmp_path / "flow.jsonl"
    path.write_text("".join(json.dumps({"step": s}) + "\n" for s in (4, 8, 12)))
    log = GradientLog(path, lambda state, batch: None, every=4)
    log.on_start(8)
    assert [row["step"] for row in read_rows(path)] == [4, 8]


@pytest.mark.slow
def test_the_option_of_the_command(tmp_path, capsys):
    (tmp_path / "text").write_text(60 * "the quick brown fox jumps over the lazy dog. ")
    small = ["--hidden-size=6", "--embedding=3", "--window=8", "--batch-size=4"]
    words = ["train", "text", "--run=r", "--gradflow", "--epochs=2", *small]
    assert main(words) == 0
    rows = read_rows("r/gradflow.jsonl")
    assert [row["step"] for row in rows] == [100]
    assert (tmp_path / "r" / "gradflow.png").exists()
    words = ["train", "text", "--run=s", "--gradflow", "--epochs=1", *small]
    assert main(words) == 0  # it has 75 steps
    assert [row["step"] for row in read_rows("s/gradflow.jsonl")] == [75]
