"""The arrows between the layers run one way (CONTRIBUTING.md): read from the import lines, of Cython too.

What is imported for types only counts like the rest: who names a type knows the module.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "jobcore"
CORE = ROOT / "csrc"

pytestmark = pytest.mark.skipif(
    not (PACKAGE.is_dir() and CORE.is_dir()), reason="reads the source tree, and only the tests are here"
)

# What each layer may know, beside itself. A layer is a module or a folder below `jobcore`.
BASE = {"_core", "_ids", "_json", "_native", "_text", "_time"}
VALUES = BASE | {"errors", "jobs"}
ROOM = VALUES | {"stats", "storage"}
ROOMS = {"memory", "sqlite", "postgres"}
DURABLE = ROOM | {"_durable"}
MAY_KNOW: dict[str, set[str]] = {
    "errors": set(),
    "stats": set(),
    "_implementation": set(),
    **dict.fromkeys(BASE, BASE | {"errors", "_implementation"}),
    "jobs": VALUES,
    "storage": {"errors", "jobs", "stats"},
    "memory": ROOM | {"_implementation"},
    "_durable": ROOM,
    "sqlite": DURABLE,
    "postgres": DURABLE,
    "opening": ROOM | ROOMS,
    "copying": ROOM,
    "app": VALUES | {"storage", "opening"},
    "worker": VALUES | {"stats", "storage", "app"},
    "contrib": ROOM | ROOMS | {"opening", "app", "worker"},
    "cli": ROOM | ROOMS | {"_implementation", "opening", "copying", "app", "worker", "contrib"},
    "__main__": {"cli"},
    "__init__": ROOM | ROOMS | {"_implementation", "opening", "app", "worker"},
    "testing": ROOM | ROOMS | {"opening", "app", "worker"},
}

# Either implementation of the in-memory core, of which its own halves know each other and nobody else does.
COMPILED = {"jobcore.memory._index", "jobcore.memory._calls"}
PLAIN = {"jobcore.memory._pyindex", "jobcore.memory._pycalls"}
SELECTED = "jobcore.memory._selected"


class Arrow(NamedTuple):
    source: str
    target: str
    at_run_time: bool

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}"


def name_of(path: Path) -> str:
    return ".".join(("jobcore", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def layer_of(module: str) -> str:
    """The part of the name after `jobcore`; that package itself is its face, `__init__`."""
    return [*module.split("."), "__init__"][1]


def target_of(module: str, name: str, modules: set[str]) -> str:
    """What `from module import name` knows: a module of that name, or the one that the name is from."""
    return f"{module}.{name}" if f"{module}.{name}" in modules else module


def python_arrows(path: Path, modules: set[str]) -> list[Arrow]:
    tree = ast.parse(path.read_bytes())
    for_types = {
        inner
        for outer in ast.walk(tree)
        if isinstance(outer, ast.If) and ast.unparse(outer.test) == "TYPE_CHECKING"
        for statement in outer.body
        for inner in ast.walk(statement)
    }
    arrows = []
    for node in ast.walk(tree):
        targets: list[str] = []
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides which layer it reaches"
            targets = [target_of(node.module or "", alias.name, modules) for alias in node.names]
        arrows += [Arrow(name_of(path), target, node not in for_types) for target in targets]
    return arrows


def cython_arrows(path: Path, modules: set[str]) -> list[Arrow]:
    text = path.read_text("utf-8")
    found = re.findall(r"^[ \t]*from[ \t]+([\w.]+)[ \t]+c?import[ \t]+(\([^)]*\)|.*)", text, re.MULTILINE)
    targets = [
        target_of(module, name, modules)
        for module, names in found
        for name in re.findall(r"(\w+)(?:\s+as\s+\w+)?", names)
    ]
    for names in re.findall(r"^[ \t]*c?import[ \t]+(.*)", text, re.MULTILINE):
        targets += re.findall(r"([\w.]+)(?:\s+as\s+\w+)?", names)
    return [Arrow(name_of(path), target, at_run_time=True) for target in targets]


def all_arrows() -> list[Arrow]:
    python = sorted(PACKAGE.rglob("*.py"))
    cython = sorted([*PACKAGE.rglob("*.pyx"), *PACKAGE.rglob("*.pxd")])
    modules = {name_of(path) for path in python + cython}
    arrows = [arrow for path in python for arrow in python_arrows(path, modules)]
    arrows += [arrow for path in cython for arrow in cython_arrows(path, modules)]
    return [arrow for arrow in arrows if arrow.target.split(".")[0] == "jobcore"]


def backward(arrows: list[Arrow]) -> list[str]:
    """The arrows that the table does not have."""
    return [
        str(arrow)
        for arrow in arrows
        if (source := layer_of(arrow.source)) != (target := layer_of(arrow.target)) and target not in MAY_KNOW[source]
    ]


def test_every_layer_has_its_place() -> None:
    layers = {layer_of(name_of(path)) for path in PACKAGE.rglob("*.py*") if path.suffix in {".py", ".pyx", ".pxd"}}
    assert layers - MAY_KNOW.keys() == set(), "say in MAY_KNOW what the new layer may know"


def test_no_arrow_runs_backwards() -> None:
    assert backward(all_arrows()) == []


def test_the_table_itself_runs_one_way() -> None:
    settled: set[str] = set()
    pending = {layer: known - {layer} - BASE for layer, known in MAY_KNOW.items() if layer not in BASE}
    while ready := {layer for layer, known in pending.items() if known <= settled}:
        settled |= ready
        pending = {layer: known for layer, known in pending.items() if layer not in settled}
    assert pending == {}


def test_arrows_of_every_kind_are_seen() -> None:
    arrows = {(arrow.source, arrow.target, arrow.at_run_time) for arrow in all_arrows()}
    assert ("jobcore", "jobcore.memory", True) in arrows
    assert ("jobcore.storage", "jobcore.jobs", False) in arrows
    assert ("jobcore.memory._calls", "jobcore.memory._index", True) in arrows
    assert ("jobcore.memory._index", "jobcore.errors", True) in arrows


def test_a_backward_arrow_is_noticed() -> None:
    wrong = [
        Arrow("jobcore.jobs._job", "jobcore.storage", at_run_time=False),
        Arrow("jobcore.sqlite.storage", "jobcore.memory", at_run_time=True),
        Arrow("jobcore.worker.runner", "jobcore", at_run_time=True),
    ]
    assert [str(arrow) for arrow in wrong] == backward(wrong)


def test_the_contract_is_made_of_types_only() -> None:
    assert [str(arrow) for arrow in all_arrows() if arrow.source == "jobcore.storage" and arrow.at_run_time] == []


def test_one_file_knows_both_implementations() -> None:
    wrong = [
        str(arrow)
        for half in (COMPILED, PLAIN)
        for arrow in all_arrows()
        if arrow.target in half and arrow.source not in half | {SELECTED}
    ]
    assert wrong == []


def test_the_core_knows_no_python() -> None:
    sources = [path for path in CORE.rglob("*") if path.suffix in {".h", ".hpp", ".c", ".cc", ".cpp"}]
    assert sources
    included = re.compile(r"^\s*#\s*include\s*[<\"](Python\.h|\w*cython\w*)", re.MULTILINE | re.IGNORECASE)
    assert [str(path) for path in sources if included.search(path.read_text("utf-8"))] == []
