"""Brokers of both kinds, and workers on them."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("dramatiq", reason="dramatiq is not installed")

from dramatiq import Worker

from jobcore.contrib.dramatiq import JobcoreBroker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/jobs.db"


@pytest.fixture
def broker(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobcoreBroker]:
    """The broker of this test, dramatiq's global one as well."""
    broker = JobcoreBroker(url)
    monkeypatch.setattr("dramatiq.broker.global_broker", broker)
    yield broker
    broker.close()


@pytest.fixture
def work(broker: JobcoreBroker) -> Iterator[Callable[..., Worker]]:
    """Start another worker, with so many threads."""
    with ExitStack() as stack:

        @contextmanager
        def running(threads: int) -> Iterator[Worker]:
            worker = Worker(broker, worker_threads=threads, worker_timeout=200)
            worker.start()
            yield worker
            worker.stop()
            del broker.middleware[-1]  # the worker's own, which would start its consumers again

        yield lambda threads=2: stack.enter_context(running(threads))
