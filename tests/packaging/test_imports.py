"""Every module can be the first that a program imports."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

import jobcore

# A module that needs an optional library says so by the name of what is missing.
IMPORT = """
import sys
try:
    import {name}
except ModuleNotFoundError as error:
    if error.name.split(".")[0] == "jobcore":
        raise
    sys.exit("missing " + error.name)
except ImportError as error:
    if type(error).__name__ != "NotInstalled":
        raise
    sys.exit("missing " + error.what)
"""


def found_modules() -> dict[str, bool]:
    """All modules, by their files, and whether each has a source in Python."""
    modules: dict[str, bool] = {}
    for folder in jobcore.__path__:
        for file in Path(folder).rglob("*"):
            suffix = next((suffix for suffix in (".py", *EXTENSION_SUFFIXES) if file.name.endswith(suffix)), None)
            if suffix is not None:
                parts = ("jobcore", *file.relative_to(folder).parts)
                name = ".".join(parts).removesuffix(suffix).removesuffix(".__init__")
                modules[name] = modules.get(name, False) or suffix == ".py"
    return modules


MODULES = found_modules()


@pytest.mark.parametrize("name", sorted(MODULES))
def test_alone(name: str) -> None:
    if jobcore.IMPLEMENTATION == "python" and not MODULES[name]:
        pytest.skip("is compiled, and jobcore runs in plain Python")
    done = subprocess.run(
        [sys.executable, "-c", IMPORT.format(name=name)], capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode and done.stderr.startswith("missing "):
        pytest.skip(f"needs {done.stderr.strip().removeprefix('missing ')}")
    assert 0 == done.returncode, done.stderr


def test_they_are_all_there() -> None:
    assert {"jobcore", "jobcore.errors", "jobcore.jobs._job", "jobcore.memory.storage"} <= MODULES.keys()
