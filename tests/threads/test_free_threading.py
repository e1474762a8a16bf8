"""Without a GIL, jobcore and what it needs leave it off: one module that declares nothing would bring it back."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig

import pytest

# Each module in turn, since the first that brings the GIL back does it for all.
IMPORT_ALL = """
import importlib, pkgutil, sys
import jobcore
for module in pkgutil.walk_packages(jobcore.__path__, "jobcore."):
    try:
        importlib.import_module(module.name)
    except jobcore.NotInstalled:  # what another library is needed for, and says so
        pass
    except ModuleNotFoundError as missing:  # a dependency, where only the package itself was installed
        assert not missing.name.startswith("jobcore"), missing
    assert not sys._is_gil_enabled(), module.name
"""


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python always has its GIL")
def test_importing_jobcore_leaves_the_gil_off() -> None:
    unforced = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_ALL], env=unforced, capture_output=True, text=True, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)
