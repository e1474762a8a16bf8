"""The plugin of pytest that injects ours; `run` starts pytest with it.

`PEER_SUITE` names the module of `suites`, `PEER_CALLS` the file for the number of calls.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

import pytest

from tests.peers.counting import CALLS


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    module = importlib.import_module(f"tests.peers.suites.{os.environ['PEER_SUITE']}")
    module.inject()
    early_config.pluginmanager.register(module)
    # Theirs may be a package `tests` as well; what was imported of ours stays.
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).parents[2]]
    del sys.modules["tests"]


def pytest_unconfigure() -> None:
    Path(os.environ["PEER_CALLS"]).write_text(json.dumps(CALLS), "utf-8")
