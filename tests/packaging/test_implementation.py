"""Which implementation runs: the one that is forced, else the compiled one where it was built; never another."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

import pytest

import jobcore
from jobcore import memory

if TYPE_CHECKING:
    from pathlib import Path

WAS_COMPILED = PathFinder.find_spec("_calls", list(memory.__path__)) is not None
needs_extension = pytest.mark.skipif(not WAS_COMPILED, reason="this build has no extension modules")

SHOW = """
import json, sys
import jobcore
modules = {name: module.__file__ for name, module in sys.modules.items() if name.split(".")[0] == "jobcore"}
print(json.dumps({
    "implementation": jobcore.IMPLEMENTATION,
    "index": jobcore.memory.JobIndex.__module__,
    "calls": jobcore.MemoryStorage.__base__.__module__,
    "compiled": sorted(name for name, file in modules.items() if not file.endswith(".py")),
}))
"""

WORK = """
from uuid import UUID
from jobcore import JobResult, MemoryStorage, NewJobInfo
storage = MemoryStorage()
job_id = storage.push_nowait(NewJobInfo("job", [1]))
job = storage.pop_nowait("default", UUID(int=1))
assert job.id == job_id and job.args == [1]
assert storage.complete_nowait(job.returned(JobResult.SUCCESS, UUID(int=1)))
"""


def run(code: str, choice: str | None, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if name != "JOBCORE_IMPLEMENTATION"} | environment
    if choice is not None:
        variables["JOBCORE_IMPLEMENTATION"] = choice
    return subprocess.run(
        [sys.executable, *options, "-c", code], env=variables, capture_output=True, text=True, check=False, timeout=60
    )


def shown(choice: str | None, *options: str, **environment: str) -> dict[str, Any]:
    done = run(SHOW + WORK, choice, *options, **environment)
    assert 0 == done.returncode, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


@pytest.fixture
def sources_only(tmp_path: Path) -> dict[str, str]:
    """The environment for a package as it is installed where nothing was compiled; to be used with `-S`."""
    for folder in jobcore.__path__:
        ignored = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
        shutil.copytree(folder, tmp_path / "jobcore", ignore=ignored, dirs_exist_ok=True)
    # Without `site`, no .pth leads to the package itself.
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}


def is_plain(facts: dict[str, Any]) -> bool:
    return facts == {
        "implementation": "python",
        "index": "jobcore.memory._pyindex",
        "calls": "jobcore.memory._pycalls",
        "compiled": [],
    }


def is_compiled(facts: dict[str, Any]) -> bool:
    values = {"jobcore.jobs._job", "jobcore.jobs._new", "jobcore.jobs._returned"}
    core = {"jobcore.memory._index", "jobcore.memory._calls"}
    return (
        facts["implementation"] == "cpp"
        and (facts["index"], facts["calls"]) == ("jobcore.memory._index", "jobcore.memory._calls")
        and values | core <= set(facts["compiled"])
    )


def test_python_is_all_python() -> None:
    assert is_plain(shown("python"))


@needs_extension
def test_cpp_is_compiled_with_its_values() -> None:
    assert is_compiled(shown("cpp"))


@pytest.mark.parametrize("choice", [None, ""])
def test_without_a_choice_what_was_built_runs(choice: str | None) -> None:
    facts = shown(choice)
    assert is_compiled(facts) if WAS_COMPILED else is_plain(facts)


def test_without_extension_modules_python_runs(sources_only: dict[str, str]) -> None:
    assert is_plain(shown(None, "-S", **sources_only))


def test_cpp_without_extension_modules_is_an_import_error(sources_only: dict[str, str]) -> None:
    code = "try:\n    import jobcore\nexcept ImportError as error:\n    print(error)"
    done = run(code, "cpp", "-S", **sources_only)
    assert 0 == done.returncode, done.stderr
    assert "jobcore" in done.stdout.lower()


@pytest.mark.parametrize("choice", ["nonsense", "CPP", "python "])
def test_nonsense_is_an_import_error(choice: str) -> None:
    done = run("import jobcore", choice)
    assert 0 != done.returncode
    assert f"ImportError: JOBCORE_IMPLEMENTATION must be cpp or python, not {choice!r}" in done.stderr
