"""`JobcoreBroker`: messages of taskiq as jobs in one of our storages."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from taskiq import AckableMessage, AsyncBroker, BrokerMessage

from jobcore.contrib.taskiq._place import Place
from jobcore.contrib.taskiq.listening import Listener
from jobcore.contrib.taskiq.messages import job_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from jobcore.storage import BatchStorage


class JobcoreBroker(AsyncBroker):
    """A broker over a storage: `memory://`, `sqlite:///jobs.db`, `postgresql://...`, or one that is open.

    The labels of a message say how it goes: `delay` (seconds until it is delivered), `priority` (higher goes first,
    0 without it, from -32768 to 32767) and `queue_name`, in place of the broker's.

    A message is leased for five times `heartbeat_interval`, renewed until it is acknowledged, and delivered to another
    worker when its worker has died. `ack_timeout` ends the renewals of a message that nobody has acknowledged for so
    long (a task with manual acknowledgement that forgot it); without it, it stays with its worker.

    A storage that was opened by its URL is closed at `shutdown`, a storage that was given is not. Raises `TypeError`
    for what is neither, at the first use `InvalidURL`, or `NotInstalled` for PostgreSQL without its driver.
    """

    def __init__(
        self,
        storage: str | BatchStorage,
        *,
        queue_name: str = "taskiq",
        heartbeat_interval: timedelta = timedelta(seconds=5),
        ack_timeout: timedelta | None = None,
    ) -> None:
        super().__init__()
        self.queue_name = queue_name
        self._place = Place(storage)
        self._heartbeat_interval = heartbeat_interval
        self._ack_timeout = ack_timeout
        self._listeners: list[Listener] = []

    @property
    def storage(self) -> BatchStorage:
        """The storage, for a schedule source beside it, or to look into."""
        return self._place.open()

    async def kick(self, message: BrokerMessage) -> None:
        """Push a message. Raises `ValueError` for labels that say no delay, priority or queue."""
        await self.storage.push(job_of(message, self.queue_name, self._heartbeat_interval))

    def listen(self) -> AsyncGenerator[AckableMessage, None]:
        """The messages of the broker's queue as they come, until the storage is closed."""
        listener = Listener(self.storage, self.queue_name, self._ack_timeout)
        self._listeners = [*(one for one in self._listeners if not one.ended), listener]
        return listener.messages()

    async def shutdown(self) -> None:
        """Close the broker. What is still out is left to its lease."""
        await super().shutdown()
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            await listener.stop()
        await self._place.close()
