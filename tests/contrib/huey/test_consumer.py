"""huey's own consumer on these storages."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("huey", reason="in the group `contrib`")

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import os, warnings
warnings.simplefilter("ignore")  # of forks beside threads
from huey import Huey
from jobcore.contrib.huey import JobcoreStorage

app = Huey(storage_class=JobcoreStorage, url={url!r}, read_timeout=0.1)

@app.task(retries=1)
def double(number):
    with app.lock_task(f"lock-{{number}}"):
        return 2 * number, os.getpid()

results = [double(number) for number in range(40)]
later = double.schedule((100,), delay=1)
consumer = app.create_consumer(workers=3, worker_type={kind!r}, periodic=False)
consumer.start()
found = [result.get(blocking=True, timeout=60) for result in [*results, later]]
consumer.stop(graceful=True)
assert [2 * number for number in [*range(40), 100]] == [value for value, _ in found]
assert ({kind!r} == "process") == (os.getpid() not in {{process for _, process in found}})
assert app.pending_count() == app.scheduled_count() == app.result_count() == 0
"""


@pytest.mark.parametrize(("where", "kind"), [("memory", "thread"), ("sqlite", "thread"), ("sqlite", "process")])
def test_all_tasks_are_carried_out_and_their_results_come_back(where: str, kind: str, tmp_path: Path) -> None:
    url = "memory://" if where == "memory" else f"sqlite:///{tmp_path}/jobs.db"
    program = textwrap.dedent(PROGRAM.format(url=url, kind=kind))
    subprocess.run([sys.executable, "-c", program], check=True, timeout=110)


def test_without_huey_the_import_says_what_to_install() -> None:
    program = """
import sys
sys.modules["huey"] = None
try:
    import jobcore.contrib.huey
except ImportError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, timeout=60, capture_output=True, encoding="utf-8"
    )
    assert "pip install 'jobcore[huey]'" in done.stdout
