"""The README's Python runs as it stands, in order, and says what it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
MARK = "next block"


def block(text):
    """The number of the block that holds the text."""
    (number,) = (i for i, code in enumerate(BLOCKS) if text in code)
    return number


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What each block prints, all run one after another as a reader would."""
    program = f"\nprint({MARK!r})\n".join(BLOCKS)
    command = [sys.executable, "-W", "error", "-c", program]
    folder = tmp_path_factory.mktemp("readme")
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.split(f"{MARK}\n")


def test_the_training_loop_is_short_and_says_ello(printed):
    lines = [line for line in BLOCKS[0].splitlines() if line.strip()]
    assert len(lines) <= 20
    assert printed[0] == "ello\n"


def test_the_summary_counts_every_layer(printed):
    said = printed[block("jr.summary(")]
    assert "Bidirectional" in said and "parameters" in said


def test_learning_sees_what_acting_saw(printed):
    assert "True\n" in printed[block("acted = []")]


def test_a_day_that_nobody_trained_on_is_translated(printed):
    text, *alignment = printed[block("heat_text(")].splitlines()
    assert text == "02-09" and len(alignment) > len(text)


def test_both_commands_name_what_the_project_declares():
    project = (ROOT / "pyproject.toml").read_text()
    assert '.venv/bin/pip install -e ".[test]" && .venv/bin/pytest' in README
    assert ".venv/bin/pip install . && .venv/bin/jaxrnn train" in README
    assert "\ntest = [" in project and 'jaxrnn = "jaxrnn.__main__:main"' in project


def test_every_law_that_the_promises_name_is_there():
    for name in re.findall(r"`(test_\w+\.py)`", README):
        assert (ROOT / "tests" / "laws" / name).exists(), name
