"""huey's own tests, which are installed with it, on `JobcoreStorage` in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.peers.suite import Suite

if TYPE_CHECKING:
    from collections.abc import Callable

LEFT_OUT = (
    "test_wrappers.py::TestWrappers::test_wrappers"  # asks `MemoryHuey` for a storage of the class that is theirs
)
SUITE = Suite(
    name="huey, in memory",
    requirement="huey==3.5.4",
    tests=["huey.tests"],
    arguments=[f"--deselect={LEFT_OUT}"],
)


def inject() -> None:
    put_in(dict)


def put_in(options: Callable[[], dict[str, Any]]) -> None:
    """Let every `MemoryHuey` have ours, made with what `options()` returns."""
    from huey.api import MemoryHuey  # noqa: PLC0415  (where only SUITE is wanted, there is no huey)

    from jobcore.contrib.huey import JobcoreStorage  # noqa: PLC0415
    from tests.peers.counting import counted  # noqa: PLC0415

    @counted
    class Injected(JobcoreStorage):
        def __init__(self, name: str = "huey") -> None:
            super().__init__(name, **options())

        @property
        def _counters(self) -> dict[Any, int]:  # one test looks at those of the MemoryStorage
            return dict(self._store.counters())

    MemoryHuey.storage_class = Injected
    MemoryHuey.get_immediate_storage = lambda self: Injected(self.name)
