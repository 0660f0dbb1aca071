"""The command line: what it leaves behind, how it goes on, and how it complains."""

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxrnn.__main__ import main
from jaxrnn.cli import train as training
from jaxrnn.cli.folder import Run, read_run
from jaxrnn.cli.profile import operations
from jaxrnn.files import load, save
from jaxrnn.models import (
    LanguageConfig,
    bits_per_character,
    language_model,
    sample,
)
from jaxrnn.training import Callback, Checkpoints, read_rows

SENTENCE = "the quick brown fox jumps over the lazy dog, and the dog sleeps on.\n"
SMALL = [
    "--hidden-size=6",
    "--embedding=3",
    "--window=8",
    "--batch-size=4",
    "--epochs=2",
]


pytestmark = pytest.mark.usefixtures("as_a_user_runs_it")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run of two epochs."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "text.txt").write_text(30 * SENTENCE)
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
        assert (
            main(["train", str(folder / "text.txt"), "--run", f"{folder}/run", *SMALL])
            == 0
        )
    return folder / "run"


def complaint(capsys, *words):
    """The one line that bad input gets."""
    assert main([*map(str, words)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("jaxrnn: ") and err.count("\n") == 1, err
    return err.removeprefix("jaxrnn: ").rstrip("\n")


def test_a_run_leaves_what_it_should(finished):
    names = {path.name for path in finished.iterdir()}
    assert names == {
        "checkpoints",
        "config.json",
        "loss.png",
        "metrics.jsonl",
        "model.safetensors",
        "samples.txt",
    }
    run = read_run(str(finished))
    assert run.config.hidden_size == 6 and run.characters == "".join(
        sorted(set(SENTENCE))
    )
    rows = read_rows(finished / "metrics.jsonl")
    epochs = [row for row in rows if "epoch" in row]
    windows = len(30 * SENTENCE) * 9 // 10 // 32
    assert (
        [row["step"] for row in epochs]
        == [windows, 2 * windows]
        == [run.total // 2, run.total]
    )
    assert [row["step"] for row in rows if "epoch" not in row] == list(
        range(10, run.total + 1, 10)
    )
    samples = (finished / "samples.txt").read_text()
    assert all(row["sample"] in samples for row in epochs)
    assert (finished / "loss.png").read_bytes().startswith(b"\x89PNG")
    # The model is that of the best epoch, judged again.
    model, params = load(finished / "model.safetensors")
    ids = run.vocabulary.encode(run.text())
    valid = ids[len(ids) - round(len(ids) / 10) :]
    best = min(row["valid_bits_per_char"] for row in epochs)
    assert bits_per_character(model, params, valid) == pytest.approx(best, rel=1e-6)


def test_what_a_run_prints(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("jaxrnn.cli.profile.SIZES", (64,))  # not to find the true peak
    (tmp_path / "text").write_text(30 * SENTENCE)
    assert main(["train", "text", "--profile", *SMALL]) == 0
    out, err = capsys.readouterr()
    assert "epoch 1/2  train " in out and "epoch 2/2  train " in out
    for line in ("this model", "5-gram", "uniform", "the run is in runs/001"):
        assert line in out
    assert out.splitlines()[-1].startswith("profile: float32 matrix products peak at ")
    assert "bits/char" in err and "char/s" in err and "100%" in err
    uniform = next(line for line in out.splitlines() if "uniform" in line)
    assert float(uniform.split()[-1]) == pytest.approx(
        np.log2(len(set(SENTENCE))), abs=1e-4
    )


def test_default_folders_are_new(tmp_path, capsys):
    (tmp_path / "text").write_text(30 * SENTENCE)
    (tmp_path / "runs" / "001").mkdir(parents=True)
    assert main(["train", "text", *SMALL, "--epochs=1"]) == 0
    assert (tmp_path / "runs" / "002" / "model.safetensors").exists()


def test_minutes(tmp_path, capsys):
    (tmp_path / "text").write_text(30 * SENTENCE)
    began = time.monotonic()
    assert main(["train", "text", "--run=r", *SMALL[:-1], "--minutes=0.02"]) == 0
    assert time.monotonic() - began < 30
    rows = read_rows("r/metrics.jsonl")
    assert rows[-1]["step"] <= read_run("r").total
    assert main(["sample", "r", "--length=5"]) == 0


def test_preset(tmp_path, capsys):
    (tmp_path / "text").write_text(3 * SENTENCE)
    assert (
        main(["train", "text", "--run=r", "--preset=min-char-rnn", "--epochs=3"]) == 0
    )
    config = read_run("r").config
    assert (config.cell, config.hidden_size, config.clip, config.epochs) == (
        "elman",
        100,
        5.0,
        3,
    )
    assert config.optimizer == "adagrad"


def test_samples(finished, capsys):
    words = ["sample", str(finished), "--length=60", "--prime=the "]
    texts = []
    for more in ([], [], ["--seed=1"], ["--temperature=0"]):
        assert main([*words, *more]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] != texts[2]
    assert all(len(t) == 65 and t.startswith("the ") and t[-1] == "\n" for t in texts)


class Stop(Callback):
    """Ctrl-C at a step."""

    def __init__(self, step):
        self.step = step

    def on_start(self, step):
        self.sent = step

    def on_step(self, state, batch):
        self.sent += 1
        if self.sent == self.step:
            signal.raise_signal(signal.SIGINT)


def stop_at(step, monkeypatch):
    """Ctrl-C at a step of the next run."""
    fit = training.fit
    monkeypatch.setattr(
        training,
        "fit",
        lambda *args, callbacks, **kwargs: fit(
            *args, callbacks=[*callbacks, Stop(step)], **kwargs
        ),
    )


def test_stopped_and_resumed_equals_uninterrupted(tmp_path, capsys, monkeypatch):
    (tmp_path / "text").write_text(30 * SENTENCE)
    words = [*SMALL, "--epochs=4"]
    assert main(["train", "text", "--run=whole", *words]) == 0
    windows = read_run("whole").total // 4
    for step in (2 * windows, 3 * windows + 5):
        first = step == 2 * windows
        with monkeypatch.context() as patch:
            stop_at(step, patch)
            start = ["text", "--run=parts", *words] if first else ["--resume=parts"]
            assert main(["train", *start]) == 130
        assert capsys.readouterr().err.endswith(
            "jaxrnn: stopped; go on with: jaxrnn train --resume parts\n"
        )
    assert main(["train", "--resume", "parts"]) == 0
    check_same("whole", "parts")
    # Going on with a finished run changes nothing, and shows its score again.
    capsys.readouterr()
    assert main(["train", "--resume", "parts"]) == 0
    assert "this model" in capsys.readouterr().out
    check_same("whole", "parts")


def check_same(a, b):
    """Two runs left the same numbers, texts and parameters, bit for bit."""
    rows = [
        [
            {k: v for k, v in row.items() if k != "seconds"}
            for row in read_rows(f"{r}/metrics.jsonl")
        ]
        for r in (a, b)
    ]
    texts = [Path(r, "samples.txt").read_text() for r in (a, b)]
    params = [jax.tree.leaves(load(f"{r}/model.safetensors")[1]) for r in (a, b)]
    assert rows[0] == rows[1]
    assert texts[0] == texts[1]
    assert all(np.array_equal(x, y) for x, y in zip(*params, strict=True))


def test_bad_texts(tmp_path, capsys):
    (tmp_path / "empty").write_text("")
    (tmp_path / "binary").write_bytes(b"\x00\x01text")
    (tmp_path / "latin").write_bytes("caf\xe9".encode("latin-1"))
    (tmp_path / "short").write_text("abc")
    for file, message in {
        "missing": "`path` must name a readable text, got 'missing': No such file",
        "empty": "which is empty",
        "binary": "which holds NUL bytes",
        "latin": "which is not UTF-8 at byte 3",
        ".": "got '.': Is a directory",
        "short": "the text of 3 characters is too short: its first nine tenths must "
        "hold window * batch_size + 1 = 2049",
    }.items():
        assert message in complaint(capsys, "train", file, "--run=r")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "binary",
        "empty",
        "latin",
        "short",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_unreadable_text(tmp_path, capsys):
    (tmp_path / "secret").write_text("abc")
    (tmp_path / "secret").chmod(0)
    assert "Permission denied" in complaint(capsys, "train", "secret")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--hidden-size=0"], "`hidden_size` must be at least 1, got 0"),
        (["--cell=rnn"], "`cell` must be one of 'elman', 'gru', 'lstm', got 'rnn'"),
        (["--dropout=-1"], "`dropout` must lie in [0, 1], got -1.0"),
        (["--learning-rate=nan"], "`learning_rate` must be positive and finite"),
        (["--epochs=0"], "`epochs` must be at least 1, got 0"),
        (["--minutes=0"], "`minutes` must be positive and finite, got 0.0"),
        (["--window=many"], "argument --window: invalid int value: 'many'"),
        (["--epochs=1", "--minutes=1"], "not allowed with argument"),
        (["--preset=other"], "argument --preset: invalid choice"),
        (["--speed=1"], "unrecognized arguments: --speed=1"),
        (
            ["--resume=r", "--layers=2"],
            "--resume goes on as the run began: leave out --layers",
        ),
        (["--resume=r"], "r holds no run: there is no r/config.json"),
    ],
)
def test_bad_options(words, message, tmp_path, capsys):
    (tmp_path / "text").write_text(30 * SENTENCE)
    file = [] if words[0] == "--resume=r" else ["text"]
    assert message in complaint(capsys, "train", *file, *words)
    assert [p.name for p in tmp_path.iterdir()] == ["text"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--prime=Zebra!"],
            "`prime` must hold characters of the vocabulary only, got 'Z'",
        ),
        (["--temperature=-1"], "`temperature` must be at least 0 and finite, got -1.0"),
        (["--length=0"], "`length` must be at least 1, got 0"),
    ],
)
def test_bad_wishes(words, message, finished, capsys):
    assert message in complaint(capsys, "sample", finished, *words)


def test_no_command(capsys):
    assert "required: COMMAND" in complaint(capsys)


def test_folders_of_others_stay_as_they_are(finished, tmp_path, capsys):
    (tmp_path / "text").write_text(30 * SENTENCE)
    shutil.copytree(finished, "run")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "diary").write_text("mine")
    times = lambda: {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    before = times()
    for folder, message in {
        "run": "run already holds a run",
        "other": "other is not empty",
        "text": "text: File exists",
        "text/deeper": "text/deeper: Not a directory",
    }.items():
        words = ["train", "text", f"--run={folder}", *SMALL]
        assert message in complaint(capsys, *words)
    assert before == times()


def edited(path, **changes):
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | changes))


def test_damaged_runs(finished, tmp_path, capsys):
    def damaged(name, damage, command):
        shutil.copytree(finished, tmp_path / name)
        damage(tmp_path / name)
        words = ["sample", name] if command == "sample" else ["train", "--resume", name]
        return complaint(capsys, *words)

    def other_model(folder):
        wide = dataclasses.replace(read_run(str(folder)).config, hidden_size=9)
        other = language_model(wide, len(read_run(str(folder)).characters))
        save(folder / "model.safetensors", other, other.init(jax.random.key(0)))

    def cut(name, size=0.5):
        def damage(folder):
            (path,) = folder.glob(name)
            data = path.read_bytes()
            path.write_bytes(data[: int(size * len(data))])

        return damage

    def last_checkpoint(folder):
        steps = Checkpoints(folder / "checkpoints").latest()
        files = [
            p for p in (folder / "checkpoints" / str(steps)).rglob("*") if p.is_file()
        ]
        largest = max(files, key=lambda p: p.stat().st_size)
        largest.write_bytes(largest.read_bytes()[:-20])

    settings = lambda **changes: (
        lambda folder: edited(folder / "config.json", **changes)
    )
    bare = lambda folder: (folder / "config.json").write_text('{"format": 1}')
    wider = lambda folder: edited(
        folder / "config.json",
        config=json.loads((folder / "config.json").read_text())["config"]
        | {"hidden_size": 7},
    )
    for name, damage, command, message in [
        ("a", cut("model.safetensors"), "sample", "model.safetensors"),
        ("b", cut("model.safetensors", 0), "sample", "model.safetensors"),
        ("c", other_model, "sample", "and the settings beside it say"),
        ("d", cut("config.json"), "sample", "d/config.json: "),
        ("e", settings(format=99), "sample", "a newer jaxrnn wrote it"),
        ("f", settings(characters=3), "sample", "f/config.json: "),
        ("g", lambda f: (f / "model.safetensors").unlink(), "sample", "no model yet"),
        ("h", last_checkpoint, "resume", "is damaged"),
        ("i", wider, "resume", "holds another state than `like`"),
        ("j", lambda f: shutil.rmtree(f), "sample", "j holds no run"),
        ("k", bare, "sample", "k/config.json: these are not the settings of a run"),
    ]:
        assert message in damaged(name, damage, command), name


def test_a_text_that_has_changed(tmp_path, capsys):
    (tmp_path / "text").write_text(30 * SENTENCE)
    assert main(["train", "text", "--run=r", *SMALL, "--epochs=1"]) == 0
    capsys.readouterr()
    (tmp_path / "text").write_text(30 * SENTENCE + "x")
    assert "is not the text that the run r began with" in complaint(
        capsys, "train", "--resume=r"
    )
    (tmp_path / "text").unlink()
    assert "No such file" in complaint(capsys, "train", "--resume=r")


def test_a_loss_that_explodes(tmp_path, capsys):
    (tmp_path / "text").write_text(30 * SENTENCE)
    words = [*SMALL, "--learning-rate=1e38", "--clip=1e38"]
    assert main(["train", "text", "--run=r", *words]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("jaxrnn: ") and "lower the learning rate" in last


def test_operations_of_a_window():
    config = LanguageConfig(
        hidden_size=5, embedding=3, layers=2, window=7, batch_size=2
    )
    products = 3 * 20 + 5 * 20 + (5 * 20 + 5 * 20) + 5 * 4
    run = Run("", config, "abcd", None, "", 1)
    assert operations(run) == 6 * 7 * 2 * products
    one_hot = Run("", dataclasses.replace(config, embedding=0), "abcd", None, "", 1)
    assert operations(one_hot) == 7 * 2 * (6 * (products + 1 * 20) - 2 * 4 * 20)


def environment():
    return os.environ | {"JAX_PLATFORMS": "cpu"}


def jaxrnn(*words, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "jaxrnn", *map(str, words)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_ctrl_c_in_a_process(tmp_path):
    (tmp_path / "text").write_text(30 * SENTENCE)
    process = jaxrnn("train", "text", "--run=r", *SMALL, "--epochs=100000")
    while not (tmp_path / "r" / "model.safetensors").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (
        err.splitlines()[-1] == "jaxrnn: stopped; go on with: jaxrnn train --resume r"
    )
    assert "Traceback" not in err
    assert (tmp_path / "r" / "loss.png").exists()


def test_a_reader_that_has_had_enough(finished):
    process = jaxrnn("sample", finished, "--length=1000000")
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr.read() == ""
    process.stderr.close()


@pytest.mark.slow
def test_killed_at_any_moment_and_resumed_equals_uninterrupted(tmp_path):
    (tmp_path / "text").write_text(30 * SENTENCE)
    words = [*SMALL, "--epochs=12"]
    whole = jaxrnn("train", "text", "--run=whole", *words)
    whole.communicate(timeout=120)
    assert whole.returncode == 0
    rng = np.random.default_rng(0)
    for attempt in range(12):
        start = ["--resume=parts"] if attempt else ["text", "--run=parts", *words]
        process = jaxrnn("train", *start)
        newest = lambda: Checkpoints("parts/checkpoints").latest()
        seen = newest()
        while process.poll() is None and newest() == seen:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.4))
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.communicate()
        if (
            newest() is not None
            and newest() > 0
            and (tmp_path / "parts/model.safetensors").exists()
        ):
            load("parts/model.safetensors")  # whole, whenever it was
    last = jaxrnn("train", "--resume=parts")
    assert last.communicate(timeout=120)[1] and last.returncode == 0
    check_same("whole", "parts")


@pytest.mark.slow
def test_peak_memory_and_speed_of_sampling(tmp_path):
    code = (
        "import resource, sys; from jaxrnn.__main__ import main;"
        "status = main(['train', '--minutes=0.2', '--run=r']);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024);"
        "sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) < 1.5 * 2**30
    model, params = load("r/model.safetensors")
    vocabulary = read_run("r").vocabulary
    for _ in range(2):
        began = time.perf_counter()
        text = "".join(sample(model, params, vocabulary, length=4000))
        elapsed = time.perf_counter() - began
    assert len(text) / elapsed > 2000
