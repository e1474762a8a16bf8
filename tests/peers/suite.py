"""What a module of `suites` says about the tests of another library.

It declares `SUITE`, and `inject()`, which puts ours in the place of the library's own storage: a thin subclass that
`counting.counted` counts; no file of the library is changed. The module is a plugin of pytest as well, for the run with
ours, so it may have fixtures and hooks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Suite:
    """Tests, as pytest takes them, and where they are."""

    name: str
    requirement: str
    """The library and its version, as the dependency group `contrib` pins it: `"huey==3.5.4"`."""
    tests: Sequence[str]
    """Files, folders or node ids: in the source distribution, or modules of the installed library."""
    sdist: bool = False
    """Whether the tests are in the source distribution, and not installed with the library."""
    lacking: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])
    """What the tests need and the source distribution lacks: a path in it, and the file of `tests/peers/lacking`."""
    arguments: Sequence[str] = ()
    """More arguments for pytest."""

    @property
    def distribution(self) -> str:
        """The name of the library, without the extras that its tests need."""
        return self.requirement.partition("==")[0].partition("[")[0]

    @property
    def version(self) -> str:
        """The pinned one."""
        return self.requirement.partition("==")[2]
