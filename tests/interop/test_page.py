"""The page of migration runs as it stands, and says what it says."""

import re
from pathlib import Path

import pytest

import jaxrnn as jr

PAGE = Path(jr.interop.__file__).with_name("README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
PEERS = ("torch", "keras", "haiku", "equinox")


def needed(block):
    return [name for name in PEERS if f"\nimport {name}" in f"\n{block}"]


def marks(block):
    costly = "export.save" in block or "from flax" in block
    slow = [pytest.mark.slow] if costly else []
    return [pytest.mark.parity] if needed(block) else slow


def title(block):
    return re.findall(r"^## (.*)", PAGE[: PAGE.index(block)], re.MULTILINE)[-1]


@pytest.mark.parametrize(
    "block",
    [pytest.param(block, id=title(block), marks=marks(block)) for block in BLOCKS],
)
@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras, of NumPy 2
@pytest.mark.usefixtures("as_a_user_runs_it")
def test_a_block_runs_and_prints_what_it_says(block, capsys, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    for name in needed(block):
        pytest.importorskip(name)
    for word, name in (("interop.onnx", "onnx"), ("export.save", "flatbuffers")):
        if word in block:
            pytest.importorskip(name)
    exec(compile(block, "README.md", "exec"), {"__name__": "page"})
    assert capsys.readouterr().out.count("True\n") == block.count("print(")


def test_the_readme_leads_here():
    root = Path(jr.__file__).parent.parent
    assert "jaxrnn/interop/README.md" in (root / "README.md").read_text()


def test_every_format_is_on_the_page():
    for name in ("torch", "Keras", "Flax", "Haiku", "Equinox", "ONNX", "StableHLO"):
        assert re.search(rf"\b{name}\b", PAGE), name
