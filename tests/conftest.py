"""Threads are switched as often as can be in all tests: what goes wrong rarely goes wrong here."""

from __future__ import annotations

import sys


def pytest_configure() -> None:
    sys.setswitchinterval(1e-6)
