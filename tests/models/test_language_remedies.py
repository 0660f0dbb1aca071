"""The remedies as settings of a language model, and as options of `jaxrnn train`."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrnn as jr
from drawn import parameters
from jaxrnn.__main__ import main
from jaxrnn.cli.folder import read_run
from jaxrnn.cli.options import parser
from jaxrnn.cli.profile import operations
from jaxrnn.cli.start import started
from jaxrnn.data import Window
from jaxrnn.models import (
    LanguageConfig,
    language_model,
    language_objective,
    language_optimizer,
)
from jaxrnn.training import read_rows

SENTENCE = "the quick brown fox jumps over the lazy dog, and the dog sleeps on.\n"
PLAIN = {"hidden_size": 6, "embedding": 3, "dropout": 0.0}


@pytest.mark.parametrize(
    ("settings", "layers"),
    [
        ({"weight_drop": 0.5}, "WeightDrop(LSTM(6), 0.5)"),
        (
            {"variational_dropout": 0.25, "layers": 2},
            "VariationalDropout(LSTM(6), inputs=0.25, state=0.25), "
            "VariationalDropout(LSTM(6), inputs=0.25, state=0.25, outputs=0.25)",
        ),
        ({"residual": True, "layers": 2}, "LSTM(6), Residual(LSTM(6))"),
        ({"residual": True, "embedding": 6}, "Residual(LSTM(6))"),
        (
            {
                "residual": True,
                "embedding": 6,
                "weight_drop": 0.5,
                "variational_dropout": 0.25,
            },
            "Residual(VariationalDropout(WeightDrop(LSTM(6), 0.5), inputs=0.25, "
            "state=0.25, outputs=0.25))",
        ),
    ],
)
def test_models(settings, layers):
    config = LanguageConfig(**(PLAIN | settings))
    shown = repr(language_model(config, 5))
    assert shown == f"Stack(Embed(5, {config.embedding}), {layers}, Dense(5))"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight_drop": 1.5}, "`weight_drop` must lie in [0, 1], got 1.5"),
        (
            {"variational_dropout": -0.5},
            "`variational_dropout` must lie in [0, 1], got -0.5",
        ),
        (
            {"clip_by": "layer"},
            "`clip_by` must be one of 'norm', 'block', 'leaf', 'value', got 'layer'",
        ),
        (
            {"schedule": "linear"},
            "`schedule` must be one of 'cosine', 'constant', 'step', 'plateau', "
            "got 'linear'",
        ),
        ({"decay": 1.0}, "`decay` must lie in (0, 1), got 1.0"),
        ({"decay_after": 0}, "`decay_after` must be at least 1, got 0"),
        ({"warmup": -1}, "`warmup` must be at least 1, got -1"),
        ({"ar": -1.0}, "`ar` must be at least 0 and finite, got -1.0"),
        ({"l2": float("nan")}, "`l2` must be at least 0 and finite, got nan"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        LanguageConfig(**settings)


@pytest.mark.slow
def test_penalties_are_added_to_the_plain_loss():
    config = LanguageConfig(**PLAIN | {"dropout": 0.5, "cell": "elman"})
    model, key = language_model(config, 5), jax.random.key(1)
    params = parameters(model)
    ids = np.random.default_rng(0).integers(5, size=(9, 3))
    window = Window(ids[:-1], ids[1:], np.ones((8, 3), bool))
    carry, (ar, tar) = ((), jnp.ones((3, 6), jnp.float32), (), ()), (2.0, 3.0)
    rest = (params, window, carry, key)
    plain, last = jax.jit(language_objective(model))(*rest)
    penalised = jax.jit(language_objective(model, ar=ar, tar=tar))
    value, penalised_last = penalised(*rest)
    # What the last layer reads, dropout and all; and the states before dropout.
    body, state = jr.Stack(*model.cells[:-1]), lambda carry: carry[1]
    _, ys, states = jr.unroll(
        body, params[:-1], ids[:-1], carry[:-1], key=key, collect=state
    )
    ys, h = np.asarray(ys, np.float64), np.asarray(states, np.float64)
    assert (ys == 0).any() and not (h == 0).any()
    penalty = ar * np.mean(ys**2) + tar * np.mean((h[1:] - h[:-1]) ** 2)
    np.testing.assert_allclose(value, float(plain) + penalty, 1e-6)
    close = lambda a, b: np.testing.assert_allclose(a, b, 1e-6)
    jax.tree.map(close, penalised_last, last)


@pytest.mark.parametrize("schedule", ["step", "plateau", "cosine"])
@pytest.mark.usefixtures("standard_promotion")
def test_every_schedule_scales_what_comes_before_it(schedule):
    settings = {"schedule": schedule, "warmup": 0, "epochs": 2, "decay_after": 1}
    optimizer = language_optimizer(LanguageConfig(**settings), total=4)
    params = {"kernel": jnp.ones(2, jnp.float32)}
    state, sizes = optimizer.init(params), []
    for _ in range(4):
        gradient = {"kernel": jnp.array([0.5, -0.5], jnp.float32)}
        updates, state = optimizer.update(gradient, state, params, value=jnp.ones(()))
        sizes.append(float(updates["kernel"][1]) / 4e-3)
    expected = {
        "step": [1, 1, 0.5, 0.5],
        "cosine": (1 + np.cos(np.pi * np.arange(4) / 4)) / 2,
    }
    np.testing.assert_allclose(sizes, expected.get(schedule, np.ones(4)), 1e-5)


OPTIONS = [
    "--clip-by=block",
    "--schedule=step",
    "--decay-after=1",
    "--l2=1e-5",
    "--ar=1",
    "--tar=1",
    "--skip-nonfinite",
]
COMBINATORS = [
    "--layers=2",
    "--residual",
    "--variational-dropout=0.2",
    "--weight-drop=0.3",
]
SMALL = [
    "--cell=elman",
    "--hidden-size=6",
    "--embedding=0",
    "--window=8",
    "--batch-size=4",
]


@pytest.fixture
def as_a_user_runs_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text(20 * SENTENCE)
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
        yield


@pytest.mark.usefixtures("as_a_user_runs_it")
def test_options_reach_the_settings():
    words = ["train", "text", "--run=r", *SMALL, *OPTIONS, *COMBINATORS]
    run, _ = started(parser().parse_args(words))
    assert read_run("r") == run
    assert run.config == LanguageConfig(
        cell="elman",
        hidden_size=6,
        embedding=0,
        window=8,
        batch_size=4,
        clip_by="block",
        schedule="step",
        decay_after=1,
        l2=1e-5,
        ar=1.0,
        tar=1.0,
        skip_nonfinite=True,
        layers=2,
        residual=True,
        variational_dropout=0.2,
        weight_drop=0.3,
    )
    size = len(run.characters)
    products = 6 * (size * 6 + 3 * 6 * 6 + 6 * size) - 2 * size * 6
    assert operations(run) == 8 * 4 * products


@pytest.mark.usefixtures("as_a_user_runs_it")
def test_a_run_goes_on_with_the_remedies_it_began_with(capsys):
    assert main(["train", "--resume=r", "--skip-nonfinite"]) == 2
    assert "leave out --skip-nonfinite" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], COMBINATORS], ids=["plain", "combinators"])
@pytest.mark.usefixtures("as_a_user_runs_it")
def test_training_by_command(more):
    words = ["text", "--run=r", "--epochs=2", *SMALL, *OPTIONS, *more]
    assert main(["train", *words]) == 0
    epochs = [row for row in read_rows("r/metrics.jsonl") if "epoch" in row]
    scores = [row["valid_bits_per_char"] for row in epochs]
    assert scores[1] < scores[0] < np.log2(len(read_run("r").characters)) + 0.5
    assert main(["sample", "r", "--length=5"]) == 0


def test_help_names_them(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    shown = capsys.readouterr().out
    for option in (*OPTIONS, *COMBINATORS, "--clip", "--decay", "--warmup"):
        assert option.partition("=")[0] in shown
