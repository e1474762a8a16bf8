"""What pytest finds by itself where jobcore is installed."""

from __future__ import annotations

import pytest

from jobcore.testing._inline import InlineJobs


@pytest.fixture
def inline_jobs() -> type[InlineJobs]:
    """Make `InlineJobs` of an app, for use in `async with`."""
    return InlineJobs
