"""dramatiq's workers on the broker: what its middleware and its threads ask of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import dramatiq
import pytest
from dramatiq.middleware import CurrentMessage
from dramatiq.results import Results
from dramatiq.results.backends import StubBackend

from tests.contrib.dramatiq.consuming import LONG, drained, message

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobcore.contrib.dramatiq import JobcoreBroker

    Work = Callable[..., dramatiq.Worker]


def test_a_failed_message_is_tried_again_after_its_backoff(broker: JobcoreBroker, work: Work) -> None:
    attempts: list[int] = []

    @dramatiq.actor(min_backoff=50, max_backoff=50)
    def fail_twice() -> None:
        attempts.append(len(attempts))
        if len(attempts) < 3:
            raise RuntimeError("not yet")

    work()
    fail_twice.send()
    broker.join("default", timeout=LONG)
    assert [0, 1, 2] == attempts


def test_a_message_whose_retries_are_used_up_is_dead(broker: JobcoreBroker, work: Work) -> None:
    @dramatiq.actor(max_retries=0)
    def fail(_: str) -> None:
        raise RuntimeError("never")

    work()
    fail.send("it")
    broker.join("default", timeout=LONG)
    assert ["it"] == drained(broker, "default.XQ")


def test_a_message_for_an_actor_that_nobody_knows_is_dead(broker: JobcoreBroker, work: Work) -> None:
    broker.declare_queue("work")
    broker.enqueue(message("it", actor="unknown"))
    work()
    broker.join("work", timeout=LONG)
    assert ["it"] == drained(broker, "work.XQ")


def test_a_worker_has_no_thread_for_delayed_messages_and_they_are_carried_out(
    broker: JobcoreBroker, work: Work
) -> None:
    done: list[int] = []
    add = dramatiq.actor(actor_name="add")(done.append)
    worker = work(1)
    for delay in (150, 50, 100):
        add.send_with_options(args=(delay,), delay=delay)
    broker.join("default", timeout=LONG)
    assert [50, 100, 150] == done
    assert ["default"] == list(worker.consumers)


@pytest.mark.parametrize("eta", ["not a number", None])
def test_a_message_with_an_eta_that_is_no_time_is_carried_out(broker: JobcoreBroker, work: Work, eta: Any) -> None:
    done: list[int] = []
    add = dramatiq.actor(actor_name="add")(done.append)
    work()
    broker.enqueue(add.message_with_options(args=(1,), eta=eta))
    broker.join("default", timeout=LONG)
    assert [1] == done


def test_an_actor_sees_its_message_as_it_was_sent(broker: JobcoreBroker, work: Work) -> None:
    broker.add_middleware(CurrentMessage())
    seen: list[Any] = []

    @dramatiq.actor
    def look(_: int) -> None:
        found = CurrentMessage.get_current_message()
        assert found is not None
        seen.append((found.message_id, found.queue_name, found.args))

    work()
    sent = look.send_with_options(args=(1,), delay=10)
    broker.join("default", timeout=LONG)
    assert [(sent.message_id, "default", (1,))] == seen


def test_pipelines_and_results_work(broker: JobcoreBroker, work: Work) -> None:
    broker.add_middleware(Results(backend=StubBackend()))

    @dramatiq.actor(store_results=True)
    def add(x: int, y: int) -> int:
        return x + y

    work()
    pipe = (add.message(1, 2) | add.message_with_options(args=(4,))).run()
    assert 7 == pipe.get_result(block=True, timeout=LONG)


def test_a_worker_that_ends_puts_back_what_it_has_not_begun(broker: JobcoreBroker, work: Work) -> None:
    begun, go = threading.Event(), threading.Event()

    @dramatiq.actor
    def hang(_: int) -> None:
        begun.set()
        go.wait(LONG / 1000)

    for number in range(4):
        hang.send(number)
    worker = work(1)
    begun.wait(LONG / 1000)
    ending = threading.Thread(target=worker.stop)
    ending.start()
    while worker.workers[0].running:
        threading.Event().wait(0.001)
    go.set()
    ending.join(LONG / 1000)
    assert [1, 2, 3] == drained(broker, "default")
