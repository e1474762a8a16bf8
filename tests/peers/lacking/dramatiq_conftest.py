"""`tests/conftest.py` of dramatiq, which its source distribution lacks: what needs no server of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dramatiq
import pytest
from dramatiq import rate_limits, results
from dramatiq.brokers import stub
from dramatiq.rate_limits.backends import StubBackend as StubRateLimiterBackend
from dramatiq.results.backends import StubBackend

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def stub_broker() -> Iterator[dramatiq.Broker]:
    broker = stub.StubBroker()
    broker.emit_after("process_boot")
    dramatiq.set_broker(broker)
    yield broker
    broker.flush_all()
    broker.close()


@pytest.fixture
def stub_worker(stub_broker: dramatiq.Broker) -> Iterator[dramatiq.Worker]:
    worker = dramatiq.Worker(stub_broker, worker_threads=32, worker_timeout=100)
    worker.start()
    yield worker
    worker.stop()


@pytest.fixture
def result_backend() -> results.ResultBackend:
    return StubBackend()


@pytest.fixture
def rate_limiter_backend() -> rate_limits.RateLimiterBackend:
    return StubRateLimiterBackend()
