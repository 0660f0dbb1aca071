"""The architecture, held as a test: imports only go down, and pieces stay short.

The library is a house of rooms. A room may import what lies on a lower floor, never
what lies above it or beside it. Imports inside functions count too: they cost less at
start-up, but they tie the rooms together all the same. Only imports for type checkers
(under `TYPE_CHECKING`) are free.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "jaxrnn"

FLOORS = (
    (
        *("cell", "linear", "wrapper", "spec", "initializers", "activations", "typing"),
        *("checks", "product", "standing", "dropping"),
    ),
    ("unroll", "losses", "data", "files", "summary"),
    ("cells", "combine", "attention"),
    ("seq2seq", "training", "gradflow", "interop"),
    ("models",),
    ("cli",),
    ("__init__",),  # the facade
    ("__main__",),  # the command line, which may use the facade
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# Slow to import or optional: imported inside the function that needs them.
LAZY = {
    "babel",
    "equinox",
    "flax",
    "haiku",
    "keras",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "orbax",
    "sacrebleu",
    "sklearn",
    "torch",
    "tqdm",
}

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40
MAX_POSITIONAL = 5


@dataclass(frozen=True)
class Module:
    """One file of the package: `jaxrnn.cells.lstm`, or `jaxrnn.cells` for a folder."""

    name: str
    path: Path
    source: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.source, self.path)

    def at(self, node: ast.AST) -> str:
        return f"{self.path}:{node.lineno}"


@dataclass(frozen=True)
class Import:
    """One imported name: `targets` are what it may mean, the most exact first."""

    node: ast.Import | ast.ImportFrom
    targets: tuple[str, ...]
    lazy: bool  # inside a function


def modules_of(package: Path) -> dict[str, Module]:
    """Every module of the package by its dotted name."""
    modules = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        source = path.read_text(encoding="utf-8")
        modules[name] = Module(name, path.relative_to(package.parent), source)
    return modules


def imports_of(module: Module) -> Iterator[Import]:
    """Every import of the module, except those for type checkers alone."""
    pending: list[tuple[ast.AST, bool]] = [(module.tree, False)]
    while pending:
        node, lazy = pending.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node, (alias.name,), lazy)
        elif isinstance(node, ast.ImportFrom):
            base = origin(node, module)
            for alias in node.names:
                yield Import(node, (f"{base}.{alias.name}", base), lazy)
        lazy |= isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        children = node.orelse if for_types(node) else ast.iter_child_nodes(node)
        pending.extend((child, lazy) for child in children)


def for_types(node: ast.AST) -> bool:
    """Whether this is `if TYPE_CHECKING:`."""
    names = ("TYPE_CHECKING", "typing.TYPE_CHECKING")
    return isinstance(node, ast.If) and ast.unparse(node.test) in names


def origin(node: ast.ImportFrom, module: Module) -> str:
    """The absolute name after `from`: `from ..cell import Cell` gives `jaxrnn.cell`."""
    if not node.level:
        return node.module or ""
    folder = module.name.split(".")
    if module.path.name != "__init__.py":
        folder.pop()
    folder = folder[: len(folder) - (node.level - 1)]
    return ".".join([*folder, node.module] if node.module else folder)


def edges_of(modules: dict[str, Module]) -> Iterator[tuple[Module, Import, str]]:
    """Every import of one module of the package by another: who, where and what."""
    top = next(iter(modules)).split(".")[0]
    for module in modules.values():
        for imported in imports_of(module):
            known = (t for t in imported.targets if t in modules)
            target = next(known, imported.targets[-1])
            if target.split(".")[0] == top:
                yield module, imported, target


def room(name: str) -> str:
    """The room of a module: the first name below the package."""
    return [*name.split("."), "__init__"][1]


def homeless(modules: dict[str, Module]) -> list[str]:
    """Modules that stand in no room of the table."""
    return [
        f"{module.path}: no such room as {room(module.name)!r}: "
        "give it a room in the table FLOORS"
        for module in modules.values()
        if room(module.name) not in FLOOR_OF
    ]


def misdirected(modules: dict[str, Module]) -> list[str]:
    """Imports that go up, or sideways into another room of the same floor."""
    found = []
    for module, imported, target in edges_of(modules):
        here, there = room(module.name), room(target)
        if here == there or not {here, there} <= FLOOR_OF.keys():
            continue
        rise = FLOOR_OF[there] - FLOOR_OF[here]
        if rise > 0 or (rise == 0 and FLOOR_OF[here] > 0):
            way = "upward" if rise > 0 else "sideways"
            found.append(
                f"{module.at(imported.node)}: {way} import, from {here!r} on floor "
                f"{FLOOR_OF[here]} to {there!r} on floor {FLOOR_OF[there]}: "
                f"{ast.unparse(imported.node)}"
            )
    return found


def circular(modules: dict[str, Module]) -> list[str]:
    """One cycle of the graph of imports, if there is any."""
    graph: dict[str, set[str]] = {name: set() for name in modules}
    lines = {}
    for module, imported, target in edges_of(modules):
        if target in modules and target != module.name:
            graph[module.name].add(target)
            lines[module.name, target] = (
                f"{module.at(imported.node)}: {ast.unparse(imported.node)}"
            )
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle = error.args[1][::-1]  # graphlib lists each module after its importer
        steps = [lines[pair] for pair in pairwise(cycle)]
        return ["circular import:\n    " + "\n    ".join(steps)]
    return []


def eager(modules: dict[str, Module]) -> list[str]:
    """Slow or optional packages that `import jaxrnn` would pay for."""
    return [
        f"{module.at(imported.node)}: import it inside the function that needs it: "
        f"{ast.unparse(imported.node)}"
        for module in modules.values()
        for imported in imports_of(module)
        if not imported.lazy and imported.targets[0].split(".")[0] in LAZY
    ]


def oversized(modules: dict[str, Module]) -> list[str]:
    """Files, functions and signatures above the limits."""
    found = []
    for module in modules.values():
        lines = len(module.source.splitlines())
        if lines > MAX_FILE_LINES:
            found.append(f"{module.path}: {lines} lines, at most {MAX_FILE_LINES}")
        for function, is_method in functions_of(module.tree):
            where = f"{module.at(function)}: {function.name}"
            lines = body_lines(function, module.source)
            if lines > MAX_FUNCTION_LINES:
                found.append(f"{where}: {lines} lines, at most {MAX_FUNCTION_LINES}")
            count = positional(function, is_method)
            if count > MAX_POSITIONAL:
                found.append(
                    f"{where}: {count} positional parameters, at most {MAX_POSITIONAL}"
                )
    return found


def functions_of(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, bool]]:
    """Every function, and whether it is a method."""
    for parent in ast.walk(tree):
        for child in ast.iter_child_nodes(parent):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield child, isinstance(parent, ast.ClassDef)


def body_lines(function: ast.FunctionDef, source: str) -> int:
    """Lines of the body that are neither its docstring nor blank."""
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        start = first.end_lineno
    else:
        decorators = getattr(first, "decorator_list", [])
        start = min(node.lineno for node in [first, *decorators]) - 1
    return sum(
        bool(line.strip()) for line in source.splitlines()[start : function.end_lineno]
    )


def positional(function: ast.FunctionDef, is_method: bool) -> int:
    """Parameters that a caller may give by position; `self` and `cls` do not count."""
    static = any(ast.unparse(d) == "staticmethod" for d in function.decorator_list)
    count = len(function.args.posonlyargs) + len(function.args.args)
    return count - (is_method and not static)


CHECKS = (homeless, misdirected, circular, eager, oversized)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_library(check):
    assert (PACKAGE / "__init__.py").is_file()
    offenders = check(modules_of(PACKAGE))
    assert not offenders, "\n" + "\n".join(offenders)


def test_import_stays_light():
    show = "import sys, jaxrnn; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", show], capture_output=True, text=True, check=True
    )
    assert not LAZY & set(done.stdout.split())


# The checks themselves, on small trees that break one rule each.

CLEAN = {
    "__init__.py": "from jaxrnn.cells import LSTM as LSTM",
    "__main__.py": "import jaxrnn\nfrom jaxrnn.models import chars",
    "cell.py": "from jaxrnn.typing import Array",
    "typing.py": "from jax import Array",
    "unroll/__init__.py": "from jaxrnn.unroll.scan import unroll",
    "unroll/scan.py": """
        from typing import TYPE_CHECKING
        from ..cell import Cell
        from . import masks
        if TYPE_CHECKING:
            from jaxrnn.cells import LSTM
        """,
    "unroll/masks.py": "import jax.numpy as jnp",
    "cells/__init__.py": "from .lstm import LSTM",
    "cells/lstm.py": "from jaxrnn.cell import Cell\nfrom jaxrnn.cells import gates",
    "cells/gates.py": "def plot():\n    import matplotlib",
    "models/__init__.py": "",
    "models/chars.py": "def run():\n    from jaxrnn.cells import LSTM",
}

BROKEN = {
    "homeless": (
        homeless,
        {"helpers.py": ""},
        "jaxrnn/helpers.py: no such room as 'helpers'",
    ),
    "upward": (
        misdirected,
        {"unroll/masks.py": "import jax\nimport jaxrnn.cells.lstm"},
        "jaxrnn/unroll/masks.py:2: upward import",
    ),
    "upward, inside a function": (
        misdirected,
        {"cell.py": "def f():\n    from .unroll import unroll"},
        "jaxrnn/cell.py:2: upward import, from 'cell' on floor 0 to 'unroll' on "
        "floor 1: from .unroll import unroll",
    ),
    "upward, to the facade": (
        misdirected,
        {"models/chars.py": "from jaxrnn import LSTM"},
        "jaxrnn/models/chars.py:1: upward import, from 'models' on floor 4",
    ),
    "sideways": (
        misdirected,
        {"combine/__init__.py": "from jaxrnn.cells import LSTM"},
        "jaxrnn/combine/__init__.py:1: sideways import, from 'combine'",
    ),
    "sideways, past the type checker": (
        misdirected,
        {"losses.py": "if TYPE_CHECKING: pass\nelse:\n    from jaxrnn import unroll"},
        "jaxrnn/losses.py:3: sideways import",
    ),
    "a cycle on the ground floor": (
        circular,
        {"typing.py": "import jaxrnn.cell"},
        "jaxrnn/typing.py:1: import jaxrnn.cell",
    ),
    "a cycle in a room": (
        circular,
        {"cells/gates.py": "def f():\n    from .lstm import LSTM"},
        "jaxrnn/cells/gates.py:2: from .lstm import LSTM",
    ),
    "eager": (
        eager,
        {"cells/gates.py": "try:\n    import flax.linen\nexcept ImportError: ..."},
        "jaxrnn/cells/gates.py:2: import it inside the function",
    ),
    "long file": (
        oversized,
        {"cell.py": "x = 1\n" * (MAX_FILE_LINES + 1)},
        f"jaxrnn/cell.py: {MAX_FILE_LINES + 1} lines",
    ),
    "long function": (
        oversized,
        {"cell.py": "def f():\n    'doc'\n" + "    x = 1\n" * (MAX_FUNCTION_LINES + 1)},
        f"jaxrnn/cell.py:1: f: {MAX_FUNCTION_LINES + 1} lines",
    ),
    "long signature": (
        oversized,
        {"cell.py": "class C:\n    def f(self, a, b, c, d, e, g, *, h): ..."},
        "jaxrnn/cell.py:2: f: 6 positional parameters",
    ),
}


def grown(folder: Path, files: dict[str, str]) -> dict[str, Module]:
    """The modules of a package `jaxrnn` made of these files."""
    package = folder / "jaxrnn"
    for name, source in files.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source.replace("\n        ", "\n"))
    return modules_of(package)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_clean_tree_passes(check, tmp_path):
    assert check(grown(tmp_path, CLEAN)) == []


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_broken_tree_is_reported(broken, tmp_path):
    check, files, message = broken
    (offender,) = check(grown(tmp_path, CLEAN | files))
    assert message in offender


def test_limits_are_inclusive(tmp_path):
    docstring = "    '''\n" + "    words\n" * 100 + "    '''\n"
    body = "    x = 1\n\n" * MAX_FUNCTION_LINES
    source = f"def f(a, b, c, d, e, *, g):\n{docstring}{body}"
    padding = "# line\n" * (MAX_FILE_LINES - len(source.splitlines()))
    assert oversized(grown(tmp_path, {"cell.py": padding + source})) == []
