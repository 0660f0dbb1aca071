"""The notebooks run as scripts, and what they assert holds."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
GRADIENTS = FOLDER / "gradients.py"


def test_gradients_by_hand_are_those_of_jax(capsys):
    """The cells that derive them in NumPy; the asserts are the notebook's own."""
    by_hand, found, _ = GRADIENTS.read_text().partition("# ## 0.8 to the hundredth")
    assert found
    exec(compile(by_hand, GRADIENTS, "exec"), {})
    assert capsys.readouterr().out.count("largest difference") == 3


@pytest.mark.slow
def test_the_page_of_gradients_runs(tmp_path):
    command = [sys.executable, "-W", "error", GRADIENTS]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "0.8^100 = 2.0e-10, in the network 2.0e-10" in run.stdout
    assert "1.5^100 = 4.1e+17, in the network 4.1e+17" in run.stdout
