"""What a user may import: these names and no others, each with its words, and the types of all."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import jobcore

PUBLIC = {
    "jobcore": {
        "IMPLEMENTATION",
        "App",
        "BatchStorage",
        "Clock",
        "Completion",
        "Exponential",
        "InvalidCall",
        "InvalidJob",
        "InvalidURL",
        "JobContext",
        "JobInfo",
        "JobResult",
        "JobcoreError",
        "LeaseLost",
        "Linear",
        "MemoryStorage",
        "NewJobInfo",
        "NotInstalled",
        "PostgresStorage",
        "ReturnJobInfo",
        "SqliteStorage",
        "Storage",
        "StorageClosed",
        "StorageUnavailable",
        "Timer",
        "Worker",
        "open_storage",
    },
    "jobcore.app": {
        "App",
        "Blocking",
        "CallNext",
        "Every",
        "Job",
        "JobContext",
        "JobEvent",
        "Middleware",
        "Pusher",
    },
    "jobcore.jobs": {
        "Backoff",
        "Completion",
        "Exponential",
        "JobInfo",
        "JobResult",
        "Linear",
        "NewJobInfo",
        "ReturnJobInfo",
    },
    "jobcore.copying": {"Movable", "NotMovable", "copy"},
    "jobcore.opening": {"InvalidURL", "open_storage"},
    "jobcore.memory": {"JobIndex", "MemoryStorage"},
    "jobcore.testing": {"FakeClock", "InlineJobs", "ModelStorage", "StorageConformance", "settle"},
    "jobcore.postgres": {"PostgresStorage"},
    "jobcore.sqlite": {"SqliteStorage"},
}
NAMES = sorted((module, name) for module, names in PUBLIC.items() for name in names)

# A new interpreter, since a star takes submodules along that others have imported.
STAR = """
before = {{"before"}} | set(globals())
from {module} import *
print(*sorted(globals().keys() - before))
"""

TWINS = [("jobcore.memory._calls", "jobcore.memory._pycalls", "MemoryCalls")]
TWINS += [("jobcore.memory._index", "jobcore.memory._pyindex", "JobIndex")]


def is_own(member: str) -> bool:
    return not member.startswith("_") and not hasattr(BaseException, member)


def is_property(member: object) -> bool:
    # In its compiled form it is a getset descriptor.
    return isinstance(member, property) or inspect.isgetsetdescriptor(member)


def public(kind: type) -> dict[str, Any]:
    return {name: member for name, member in vars(kind).items() if not name.startswith("_")}


def parameters(function: Any) -> list[tuple[str, Any, Any]]:
    return [(one.name, one.kind, one.default) for one in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize("module", sorted(PUBLIC))
def test_a_star_takes_these_names(module: str) -> None:
    star = [sys.executable, "-c", STAR.format(module=module)]
    done = subprocess.run(star, capture_output=True, text=True, check=True, timeout=60)

    assert sorted(PUBLIC[module]) == done.stdout.split()


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_every_name_has_its_words(module: str, name: str) -> None:
    named = getattr(importlib.import_module(module), name)
    if isinstance(named, str):
        return  # IMPLEMENTATION; the module of the same name tells
    assert inspect.getdoc(named)
    if isinstance(named, type) and name != "StorageConformance":  # its tests are documented by their names
        for member_name in dir(named):
            member = inspect.getattr_static(named, member_name)
            if is_own(member_name) and (inspect.isroutine(member) or is_property(member)):
                assert inspect.getdoc(member), f"{name}.{member_name}"


@pytest.mark.parametrize("module", ["jobcore", "jobcore.app"])
def test_a_name_that_is_not_there_is_no_attribute(module: str) -> None:
    with pytest.raises(AttributeError, match=f"module '{module}' has no attribute 'Nothing'"):
        importlib.import_module(module).Nothing  # noqa: B018


def test_the_version_is_that_of_what_is_installed() -> None:
    assert metadata.version("jobcore") == jobcore.__version__


def test_the_types_are_there() -> None:
    assert any(Path(folder, "py.typed").exists() for folder in jobcore.__path__)


@pytest.mark.skipif(jobcore.IMPLEMENTATION == "python", reason="needs the compiled modules")
@pytest.mark.parametrize(("compiled", "plain", "name"), TWINS)
def test_both_implementations_show_the_same(compiled: str, plain: str, name: str) -> None:
    one, other = (public(getattr(importlib.import_module(module), name)) for module in (compiled, plain))

    assert one.keys() == other.keys()
    for member in one:
        if inspect.isroutine(other[member]):
            assert parameters(one[member]) == parameters(other[member]), member


@pytest.mark.skipif(jobcore.IMPLEMENTATION == "python", reason="needs the compiled modules")
@pytest.mark.parametrize("module", ["jobcore._native", "jobcore.memory._calls", "jobcore.memory._index"])
def test_a_compiled_module_brings_its_types(module: str) -> None:
    file = importlib.import_module(module).__file__
    assert file is not None
    folders = [Path(folder, *module.split(".")[1:-1]) for folder in jobcore.__path__]
    assert any((folder / f"{module.rpartition('.')[2]}.pyi").exists() for folder in folders)
