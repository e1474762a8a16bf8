"""What a command works on: `module:app`, or the URL of a storage."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import traceback
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from jobcore.app import App
from jobcore.cli._mistakes import Mistake, told_to_the_user
from jobcore.memory import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from types import ModuleType

    from jobcore.storage import Storage

_logger = logging.getLogger("jobcore.cli")


def load_app(target: str, *, debug: bool = False) -> App:
    """The app that `module:app` names; with `debug`, a module that raises shows its whole traceback."""
    module_name, _, path = target.partition(":")
    if not module_name or not path or "://" in target:
        raise Mistake(f"{target!r} is no app: write module:app, the module as in an import, then the name in it")
    found: object = _import(module_name, debug=debug)
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise Mistake(f"module {module_name!r} has no {path!r}") from None
    if not isinstance(found, App):
        raise Mistake(f"{target} is not an App: it is {_described(found)}")
    return found


@asynccontextmanager
async def storage_of(app: App) -> AsyncGenerator[Storage]:
    """The storage of the app, closed in the end: the process ends with the command, whoever opened it."""
    with told_to_the_user():
        storage = app.storage
        try:
            yield storage
        finally:
            await app.aclose()
            aclose = getattr(storage, "aclose", None)
            if aclose is not None:
                await aclose()


def app_of(target: str, *, debug: bool = False) -> App:
    """The app of the target; for the URL of a storage, one without jobs."""
    return App(target) if "://" in target else load_app(target, debug=debug)


def refuse_memory(storage: Storage, why: str) -> None:
    """`Mistake` for a storage that ends with its process."""
    if isinstance(storage, MemoryStorage):
        raise Mistake(f"not on a MemoryStorage: {why}")


def _import(name: str, *, debug: bool) -> ModuleType:
    directory = os.getcwd()  # noqa: PTH109  (a text, for sys.path)
    if directory not in sys.path:
        sys.path.insert(0, directory)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise Mistake(f"there is no module {name!r}, seen from {directory}") from None
        raise _raised(name, error, debug=debug) from error
    except Exception as error:
        raise _raised(name, error, debug=debug) from error


def _raised(name: str, error: Exception, *, debug: bool) -> Mistake:
    """Where the module raised: its own deepest line, not that of what it imports."""
    if debug:
        traceback.print_exception(error)
    where = ""
    if isinstance(error, SyntaxError):
        where = f"{error.filename}:{error.lineno}: "
    elif frames := [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]:
        where = f"{frames[-1].filename}:{frames[-1].lineno}: "
    words = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    return Mistake(f"module {name!r} cannot be imported: {where}{type(error).__name__}: {words}")


def _described(found: object) -> str:
    return f"the class {found.__qualname__}" if isinstance(found, type) else f"of type {type(found).__qualname__}"
