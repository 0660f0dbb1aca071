"""`jaxrnn translate`: what it leaves behind, how it goes on, and how it complains."""

import functools
import signal
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxrnn.__main__ import main
from jaxrnn.cli import translate_folder, translate_train
from jaxrnn.cli.folder import read_as
from jaxrnn.cli.translate_folder import TranslatorRun
from jaxrnn.data import written
from jaxrnn.files import load
from jaxrnn.training import Callback, read_rows

pytest.importorskip("sacrebleu")

WORDS = ["un", "dos", "tres", "quatre", "cinc", "sis", "set", "vuit", "nou", "deu"]
PAIRS = "".join(f"{a} {b}\t{b} {a}\n" for a in WORDS for b in WORDS)
BEAM = ["--beam=2", "--nbest=2"]
SMALL = [
    "--hidden-size=8",
    "--embedding=3",
    "--batch-size=16",
    "--buckets=1",
    "--epochs=2",
]


pytestmark = pytest.mark.usefixtures("as_a_user_runs_it")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run of two epochs."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "pairs.tsv").write_text(PAIRS)
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
        words = [str(folder / "pairs.tsv"), "--run", f"{folder}/run", *SMALL]
        assert main(["translate", "train", *words]) == 0
    return folder / "run"


def complaint(capsys, *words):
    """The one line that bad input gets."""
    assert main(["translate", *map(str, words)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("jaxrnn: ") and err.count("\n") == 1, err
    return err.removeprefix("jaxrnn: ").rstrip("\n")


def test_a_run_leaves_what_it_should(finished):
    names = {path.name for path in finished.iterdir()} - {"alignment.png"}
    assert names == {
        "checkpoints",
        "config.json",
        "metrics.jsonl",
        "model.safetensors",
        "scores.txt",
    }
    run = read_as(TranslatorRun, str(finished))
    assert run.config.hidden_size == 8
    assert run.longest_source == run.longest_target == 13
    assert run.characters == "\n" + "".join(sorted({*"".join(WORDS), " "}))
    epochs = [row for row in read_rows(run.metrics_file) if "epoch" in row]
    assert [row["step"] for row in epochs] == [run.total // 2, run.total]
    assert load(run.model_file)[0] == run.model
    assert "unseen" in run.scores_file.read_text()


def test_a_translation_and_its_alignment(finished, capsys):
    assert main(["translate", str(finished), "tres\u00a0 nou", *BEAM]) == 0
    out = capsys.readouterr().out.splitlines()
    text = out[0].removesuffix("... (it did not end)")  # nor need it, after so little
    assert out[2] == "log p" and out[3].endswith(text) and out[5] == ""
    assert 0 > float(out[3].split()[0]) >= float(out[4].split()[0])
    picture = finished / "alignment.png"
    assert out[-1] == f"the alignment is drawn in {picture}"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main(["translate", str(finished), "un", "--picture=own.png", *BEAM]) == 0
    assert Path("own.png").read_bytes().startswith(b"\x89PNG")
    assert not capsys.readouterr().err


def test_a_longer_source_gets_a_note(finished, capsys):
    assert main(["translate", str(finished), "un dos tres un", *BEAM]) == 0
    note = "note: 14 characters, and the longest source trained on had 13\n"
    assert capsys.readouterr().err == f"jaxrnn: {note}"


def test_scores_are_shown_again(finished, capsys):
    assert main(["translate", str(finished), "--evaluate"]) == 0
    assert capsys.readouterr().out == (finished / "scores.txt").read_text() + "\n"


@pytest.mark.slow
def test_without_attention(tmp_path, capsys):
    (tmp_path / "pairs.tsv").write_text(PAIRS)
    words = ["pairs.tsv", "--run=r", "--no-attention", *SMALL[:-1], "--epochs=1"]
    assert main(["translate", "train", *words]) == 0
    capsys.readouterr()
    assert main(["translate", "r", "un dos"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert "needs attention" in complaint(capsys, "r", "un", "--picture=p.png")


@pytest.mark.slow
def test_the_corpus_that_comes_along(monkeypatch, capsys):
    pytest.importorskip("babel")
    few = functools.partial(written, size=300, test_size=20)
    monkeypatch.setattr(translate_folder, "written", few)
    words = ["--run=r", *SMALL[:-1], "--minutes=0.01"]
    assert main(["translate", "train", *words]) == 0
    out = capsys.readouterr().out
    for word in ("language", "years", "names", "\nca ", "\nall ", "41 and more"):
        assert word in out
    assert main(["translate", "r", "2024-02-09", "--to=ca", *BEAM]) == 0
    assert "c a : ␣ 2 0 2 4" in capsys.readouterr().out
    assert "--to must be one of ca, de" in complaint(capsys, "r", "x", "--to=xx")
    other = functools.partial(few, size=200)
    monkeypatch.setattr(translate_folder, "written", other)
    said = complaint(capsys, "r", "--evaluate")
    assert "this version of Babel gives is not the one that the run r began" in said


def stop_at(step, monkeypatch):
    """Ctrl-C at a step of the next run."""

    class Stop(Callback):
        def on_step(self, state, batch):
            if int(state.step) == step:
                signal.raise_signal(signal.SIGINT)

    fit = translate_train.fit
    monkeypatch.setattr(
        translate_train,
        "fit",
        lambda *args, callbacks, **kwargs: fit(
            *args, callbacks=[*callbacks, Stop()], **kwargs
        ),
    )


def test_stopped_and_resumed_equals_uninterrupted(
    finished, tmp_path, capsys, monkeypatch
):
    file = read_as(TranslatorRun, str(finished)).file
    with monkeypatch.context() as patch:
        stop_at(9, patch)
        assert main(["translate", "train", file, "--run=parts", *SMALL]) == 130
    told = "jaxrnn: stopped; go on with: jaxrnn translate train --resume parts\n"
    assert capsys.readouterr().err.endswith(told)
    assert main(["translate", "train", "--resume=parts"]) == 0
    scores = [Path(run, "scores.txt").read_text() for run in (finished, "parts")]
    assert scores[0] == scores[1]
    params = [
        jax.tree.leaves(load(Path(run, "model.safetensors"))[1])
        for run in (finished, "parts")
    ]
    assert all(np.array_equal(a, b) for a, b in zip(*params, strict=True))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pairs.tsv", "--hidden-size=7"], "`hidden_size` must be even, got 7"),
        (["pairs.tsv", "--attention=dot"], "`attention` must be one of"),
        (["pairs.tsv", "--minutes=-1"], "`minutes` must be positive and finite"),
        (["pairs.tsv", "--epochs=1", "--minutes=1"], "not allowed with argument"),
        (["missing.tsv"], "`path` must name a readable text, got 'missing.tsv'"),
        (["short.tsv"], "`pairs` must have at least 3 sources, got 1"),
        (["wrong.tsv"], "a source, a tab and a target a line, got 'un' in line 2"),
        (["--resume=r", "--seed=1"], "goes on as the run began: leave out --seed"),
        (["--resume=r"], "r holds no run: there is no r/config.json"),
    ],
)
def test_bad_options_of_training(words, message, tmp_path, capsys):
    (tmp_path / "pairs.tsv").write_text(PAIRS)
    (tmp_path / "short.tsv").write_text("un\tone\n")
    (tmp_path / "wrong.tsv").write_text("un\tone\nun\n")
    assert message in complaint(capsys, "train", *words)
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give a text to translate, or --evaluate"),
        (["un", "--evaluate"], "give a text to translate, or --evaluate"),
        (["--evaluate", "--beam=4"], "--beam is for a text, and not for --evaluate"),
        ([" "], "TEXT must not be empty"),
        (["un Zebra"], "got 'Z' at position 3, 'b' at position 5"),
        (["un", "--to=ca"], "its pairs are from a file"),
        (["un", "--beam=0"], "`beam` must be at least 1, got 0"),
        (["un", "--beam=2", "--nbest=3"], "`nbest` must"),
        (
            ["un", "--picture=no/such/place.png", *BEAM],
            "no/such/place.png: No such file",
        ),
    ],
)
def test_bad_wishes(words, message, finished, capsys):
    assert main(["translate", str(finished), *words]) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1


def test_without_what_scores_need(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    (tmp_path / "pairs.tsv").write_text(PAIRS)
    said = complaint(capsys, "train", "pairs.tsv", "--run=r", *SMALL)
    assert said == "chrF comes from sacreBLEU: pip install 'jaxrnn[translate]'"
    assert not Path("r").exists()


def test_runs_of_other_commands_and_other_pairs(finished, tmp_path, capsys):
    assert main(["sample", str(finished)]) == 2
    err = capsys.readouterr().err
    assert "a run of `jaxrnn translate train`, and not of `jaxrnn train`" in err
    file = Path(read_as(TranslatorRun, str(finished)).file)
    file.write_text(PAIRS + "onze\tonze\n")
    try:
        said = complaint(capsys, finished, "--evaluate")
    finally:
        file.write_text(PAIRS)
    assert "is not the one that the run" in said
