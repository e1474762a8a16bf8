"""Celery's tests that start a worker or send to one, with ours in memory."""

from __future__ import annotations

from tests.peers.suite import Suite
from tests.peers.suites import kombu

SUITE = Suite(
    name="Celery, memory",
    requirement="celery==5.7.0",
    sdist=True,
    tests=["t/unit/contrib/test_worker.py", "t/unit/app/test_control.py"],
)

inject = kombu.inject
