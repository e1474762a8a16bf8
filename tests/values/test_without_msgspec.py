"""Where msgspec cannot be imported the standard library writes and reads the same jobs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from jobcore import NewJobInfo

pytest.importorskip("msgspec")

PLAIN: list[Any] = [
    None,
    {"a": [1, None, True, {"b": -0.5}], "": '\u2028\x7f\0\x1f\b\f\n\r\t"\\/é😀'},
    [2**70, -(2**63), 5e-324, -0.0, 0.1],
]
WITH_EXPONENTS: list[Any] = [1e16, 1e-7, 1.7976931348623157e308]

# Reads jobs, a line each, says whether they are what they were written from, and writes them anew.
PROGRAM = """
import json, sys
sys.modules["msgspec"] = None
from jobcore import InvalidJob, NewJobInfo
for line in sys.stdin:
    text, args = json.loads(line)
    job = NewJobInfo.from_json(text)
    assert job.args == args, (job.args, args)
    print(json.dumps(NewJobInfo("job", args).to_json()))
for wrong in (float("nan"), {"a": float("inf")}, "\\ud800", object()):
    try:
        NewJobInfo("job", wrong)
    except InvalidJob:
        continue
    raise AssertionError(wrong)
"""


def test_a_job_that_one_codec_wrote_is_read_by_the_other() -> None:
    everything = PLAIN + WITH_EXPONENTS
    ours = [NewJobInfo("job", args) for args in everything]
    lines = "".join(json.dumps([job.to_json(), args]) + "\n" for job, args in zip(ours, everything, strict=True))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=lines, capture_output=True, encoding="utf-8", check=False, timeout=60
    )
    assert (0, "") == (done.returncode, done.stderr)
    theirs = [NewJobInfo.from_json(json.loads(line)) for line in done.stdout.splitlines()]
    assert everything == [job.args for job in theirs]
    assert ours[: len(PLAIN)] == theirs[: len(PLAIN)], "to the byte"
