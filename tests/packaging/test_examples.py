from __future__ import annotations

import importlib
import re
import runpy
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"

if not EXAMPLES.exists():
    pytest.skip("the examples are in the repository, not beside an installed wheel", allow_module_level=True)


def run(example: str) -> tuple[str, str]:
    command = [sys.executable, str(EXAMPLES / example)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=100, check=False)
    assert 0 == done.returncode, done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def client() -> Iterator[Any]:
    pytest.importorskip("starlette")
    pytest.importorskip("httpx")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using `httpx`")  # newer ones would rather have httpx2
        testclient = importlib.import_module("starlette.testclient")
    with testclient.TestClient(runpy.run_path(str(EXAMPLES / "web.py"))["web"]) as client:
        yield client


def test_every_example_has_its_test() -> None:
    assert {"periodic.py", "quickstart.py", "web.py"} == {path.name for path in EXAMPLES.glob("*.py")}


def test_quickstart_retries_the_job() -> None:
    output, errors = run("quickstart.py")
    assert "Welcome, Ada! Attempt 2, after ConnectionError: the mail server is down\n" == output
    assert "failed (attempt 1 of 6): ConnectionError" in errors


def test_readme_shows_the_quickstart() -> None:
    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert block is not None
    assert (EXAMPLES / "quickstart.py").read_text("utf-8") == block[1]


def test_periodic_job_comes_again_and_the_program_ends() -> None:
    output, errors = run("periodic.py")
    assert 2 <= len(re.findall(r"^cleaning spool, as pushed at \d\d:", output, re.MULTILINE)) <= 6
    assert "" == errors


def test_web_application_shows_a_job_that_waits(client: Any) -> None:
    pushed = client.post("/reminders", json={"email": "ada@example.org", "seconds": 3600})
    waiting = client.get(f"/jobs/{pushed.json()['job']}")
    assert (202, 200) == (pushed.status_code, waiting.status_code)
    assert ("remind", None) == (waiting.json()["name"], waiting.json()["last_error"])


def test_web_application_does_its_jobs(client: Any, capsys: pytest.CaptureFixture[str]) -> None:
    job = client.post("/reminders", json={"email": "ada@example.org", "seconds": 0}).json()["job"]
    deadline = time.monotonic() + 60
    while client.get(f"/jobs/{job}").status_code != 404:
        assert time.monotonic() < deadline
    assert "to ada@example.org: remember!\n" == capsys.readouterr().out
