"""The fixture that pytest finds by itself."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = """
import asyncio
from jobcore import App

app = App("memory://")

@app.job
def double(number: int) -> int:
    return 2 * number

def test_it_runs(inline_jobs):
    async def scenario():
        async with inline_jobs(app) as jobs:
            await double.push(21)
            await jobs.run()
            assert [21] == [event.job.args["number"] for event in jobs.succeeded]

    asyncio.run(scenario())
"""


def test_the_fixture_is_there_without_an_import(tmp_path: Path) -> None:
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_sample.py"]
    done = subprocess.run(pytest, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)

    assert 0 == done.returncode, done.stdout + done.stderr
