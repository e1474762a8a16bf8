"""Which implementation is at work: the compiled one ("cpp") or plain Python ("python").

Where compiled modules lie beside the sources they are used, elsewhere plain Python is. `JOBCORE_IMPLEMENTATION` forces
one of the two. Nothing falls back: a compiled module that cannot be imported is an error, and a forced choice holds.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

_VARIABLE = "JOBCORE_IMPLEMENTATION"


class _SourcesFirst:
    """Finds the .py in front of the extension module that was compiled from it."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, _target: ModuleType | None = None) -> ModuleSpec | None:
        if path is None or not name.startswith("jobcore."):
            return None
        sources = (Path(folder, name.rpartition(".")[2]).with_suffix(".py") for folder in path)
        return next((spec_from_file_location(name, source) for source in sources if source.exists()), None)


def _choose() -> str:
    folders = [str(Path(folder, "memory")) for folder in sys.modules["jobcore"].__path__]
    compiled = PathFinder.find_spec("_calls", folders) is not None
    forced = os.environ.get(_VARIABLE)
    if not forced:
        return "cpp" if compiled else "python"
    if forced not in {"cpp", "python"}:
        raise ImportError(f"{_VARIABLE} must be cpp or python, not {forced!r}")
    if forced == "cpp" and not compiled:
        raise ImportError(f"{_VARIABLE} is cpp, but this installation has no compiled modules for this interpreter")
    if forced == "python":
        sys.meta_path.insert(0, _SourcesFirst)
    return forced


IMPLEMENTATION = _choose()
