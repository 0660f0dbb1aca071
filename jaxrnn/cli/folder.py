"""The folder of a run: what stands where, and the settings to go on with."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from jaxrnn.cli.options import BadInput, blaming
from jaxrnn.combine import Stack
from jaxrnn.data import Vocabulary, python_docs, read_text
from jaxrnn.files import load, write
from jaxrnn.models.language import LanguageConfig, language_model
from jaxrnn.typing import PyTree

FORMAT = 1
AnyRun = TypeVar("AnyRun", bound="Run")


@dataclasses.dataclass(frozen=True)
class Run:
    """What a run was started with; `config.json` holds it.

    Attributes:
      folder: of the run.
      config: of the model and its training.
      characters: the vocabulary.
      file: the text's absolute path; None: CPython's documentation.
      sha256: of the text.
      total: windows to train on.
      minutes: the longest time to train; None: no limit.
    """

    folder: Path
    config: LanguageConfig
    characters: str
    file: str | None
    sha256: str
    total: int
    minutes: float | None = None

    command: ClassVar[str] = "train"
    settings: ClassVar[type] = LanguageConfig

    @property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self.characters)

    @property
    def model(self) -> Stack:
        return language_model(self.config, len(self.characters))

    @property
    def model_file(self) -> Path:
        return self.folder / "model.safetensors"

    @property
    def metrics_file(self) -> Path:
        return self.folder / "metrics.jsonl"

    @property
    def samples_file(self) -> Path:
        return self.folder / "samples.txt"

    @property
    def figure_file(self) -> Path:
        return self.folder / "loss.png"

    @property
    def gradients_file(self) -> Path:
        return self.folder / "gradflow.jsonl"

    @property
    def gradients_figure(self) -> Path:
        return self.folder / "gradflow.png"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    def write(self) -> None:
        """Write `config.json`."""
        data = {"format": FORMAT, "command": self.command} | dataclasses.asdict(self)
        del data["folder"]
        text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
        write(self.folder / "config.json", text.encode())

    def text(self) -> str:
        """The text of the run, unless it has changed."""
        text = text_of(self.file)
        if sha256(text) != self.sha256:
            raise BadInput(
                f"{self.file or 'the documentation of this Python'} is not the text "
                f"that the run {self.folder} began with"
            )
        return text

    def best(self) -> tuple[Any, PyTree]:
        """The model that validated best, and its parameters."""
        if not self.model_file.exists():
            raise BadInput(
                f"{self.folder} holds no model yet: go on with it by "
                f"jaxrnn {self.command} --resume {self.folder}"
            )
        with blaming():
            model, params = load(self.model_file)
        if model != self.model:
            raise BadInput(
                f"{self.model_file} holds {model}, "
                f"and the settings beside it say {self.model}"
            )
        return model, params


def text_of(file: str | None) -> str:
    """The text of a file, or CPython's documentation.

    Args:
      file: its path, or None.
    """
    if file is None:
        return python_docs()
    with blaming():
        return read_text(file)


def sha256(text: str) -> str:
    """The hash by which a text is recognised."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def new_folder(wanted: str | None) -> Path:
    """Make the folder of a new run.

    Args:
      wanted: its path; None: the next number in `runs`.

    Returns:
      A folder that exists and is empty.
    """
    with blaming():
        if wanted is None:
            return _numbered(Path("runs"))
        folder = Path(wanted)
        if (folder / "config.json").exists():
            raise BadInput(
                f"{folder} already holds a run: go on with it by --resume {folder}, "
                "or name another folder with --run"
            )
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise BadInput(f"{folder} is not empty: name a new folder with --run")
    return folder


def _numbered(parent: Path) -> Path:
    parent.mkdir(exist_ok=True)
    number = 1
    while True:
        folder = parent / f"{number:03d}"
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder


def read_run(path: str) -> Run:
    """The run of `jaxrnn train` in a folder.

    Args:
      path: of the folder.
    """
    return read_as(Run, path)


def read_as(kind: type[AnyRun], path: str) -> AnyRun:
    """The run in a folder.

    Args:
      kind: what it must be, `Run` or one derived from it.
      path: of the folder.
    """
    file = Path(path) / "config.json"
    if not file.exists():
        raise BadInput(f"{path} holds no run: there is no {file}")
    with blaming(str(file)):
        data = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(data, dict) or not {"format", "config"} <= data.keys():
            raise ValueError("these are not the settings of a run")
        if data.pop("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}: a newer jaxrnn wrote it")
        command = data.pop("command", "train")
        if command != kind.command:
            raise ValueError(
                f"it is a run of `jaxrnn {command}`, and not of `jaxrnn {kind.command}`"
            )
        config = kind.settings(**data.pop("config"))
        run = kind(folder=Path(path), config=config, **data)
        Vocabulary(run.characters)
        return run
