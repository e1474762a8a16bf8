"""Plain functions in processes of their own, by anyio's pool: one that is cancelled is killed.

The function travels by its name. Where that name is the job's own (a decorated function), the function is taken out of
the job on the other side.
"""

from __future__ import annotations

import functools
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


async def call_in_process(function: Callable[..., Any], kwargs: dict[str, Any]) -> Any:
    """The result of the function; the process is killed when this call is cancelled."""
    from anyio import to_process  # noqa: PLC0415  (few jobs need it)

    call = functools.partial(call_by_name, function.__module__, function.__qualname__, kwargs)
    return await to_process.run_sync(call, cancellable=True)


def call_by_name(module: str, name: str, kwargs: dict[str, Any]) -> Any:
    """Call a function of a module, or the function of the job that stands there."""
    found: Any = functools.reduce(getattr, name.split("."), import_module(module))
    return getattr(found, "function", found)(**kwargs)
