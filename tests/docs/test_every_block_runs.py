from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docs.page import blocks_of

if TYPE_CHECKING:
    from tests.postgres.server import Server

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

if not DOCS.exists():
    pytest.skip("the documentation is in the repository, not beside an installed wheel", allow_module_level=True)

PAGES = [path for path in (ROOT / "README.md", *sorted(DOCS.rglob("*.md"))) if blocks_of(path.read_text("utf-8"))]

FRAMEWORKS = {
    "web": "fastapi",
    "django": "django",
    "apscheduler": "apscheduler.jobstores",
    "taskiq": "taskiq",
    "dramatiq": "dramatiq",
}

# What a page leaves to its reader.
BEFORE = {"README.md": "from jobcore import MemoryStorage as MyStorage"}


def read(page: Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.docs.page", str(page), BEFORE.get(page.name, "")],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=110,
        check=False,
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_page(page: Path, tmp_path: Path, server: Server | None) -> None:
    if page.stem in FRAMEWORKS:
        pytest.importorskip(FRAMEWORKS[page.stem])  # in the groups `docs` and `contrib`
    database = {} if server is None else {"POSTGRES_URL": server.create_database()}
    run = read(page, tmp_path, **database)
    assert 0 == run.returncode, run.stdout + run.stderr


@pytest.mark.parametrize("page", [*DOCS.rglob("*.md")], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_files_that_a_page_names_are_there(page: Path) -> None:
    named = re.findall(r"`((?:src|tests|csrc|bench|examples)/[\w/.]+)`", page.read_text("utf-8"))
    assert [] == [file for file in named if not (ROOT / file).exists()]


WRONG = {
    "a snippet raises": "```python\n1 / 0\n```\n",
    "a snippet raises where it awaits": "```python\nimport asyncio\nawait asyncio.sleep(0)\n1 / 0\n```\n",
    "a file raises": "```python\n# wrong.py\n1 / 0\n```\n",
    "a test fails": "```python\n# test_wrong.py\ndef test_it():\n    assert False\n```\n",
    "it prints something else": "```python\nprint(1)\n```\n\n```text\n2\n```\n",
    "a command fails": "```console\n$ jobcore info memory:// 0\n```\n",
    "a command prints something else": "```console\n$ python -c 'print(1)'\n2\n```\n",
    "a worker ends": "```console\n$ jobcore worker nothing:app\n```\n",
    "JSON is none": "```json\n{]\n```\n",
    "TOML is none": "```toml\na\n```\n",
    "INI is none": "```ini\na\n```\n",
}


@pytest.mark.parametrize("page", WRONG.values(), ids=WRONG.keys())
def test_a_page_fails_where(page: str, tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(page, "utf-8")
    assert 0 != read(path, tmp_path).returncode


RIGHT = """
```python
# jobs.py
value = 1
```

```python
import asyncio
from jobs import value
```

```python
print(await asyncio.sleep(0, value), "of many")
```

```text
1 of ...
```

```console
$ rm -rf /
$ python -c 'print(3)'
3
```
"""


def test_blocks_go_on_where_the_one_before_ended(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(RIGHT, "utf-8")
    run = read(path, tmp_path)
    assert 0 == run.returncode, run.stderr
