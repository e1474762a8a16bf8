"""Nothing is left behind: each script counts in a process of its own, where nobody else allocates anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path.stem for path in Path(__file__).with_name("scripts").glob("*.py") if path.stem != "counting")


@pytest.mark.parametrize("script", SCRIPTS)
def test_nothing_is_left_behind(script: str) -> None:
    command = [sys.executable, "-W", "error", "-m", f"tests.leaks.scripts.{script}"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=100, check=False)
    assert ("", "", 0) == (run.stdout, run.stderr, run.returncode)
