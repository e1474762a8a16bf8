"""The load of the crash tests, a process that is killed: it pushes, pops and completes, and writes down what it knows.

`crash_load.py DATABASE JOURNAL SEED`. The journal has one line for each fact, appended at once by one write, which a
killed process either did or did not do: `pushed ID`, `popped ID DELIVERY FROM UNTIL` (a lease that is valid in that
time), `completing ID DELIVERY` before and `completed ID DELIVERY` after the call, or `releasing` and
`released`. It says `ready` on its first line.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from datetime import timedelta
from uuid import UUID

from jobcore import JobResult, LeaseLost, NewJobInfo, SqliteStorage

INTERVAL = timedelta(milliseconds=100)
QUEUES = ("one", "two")


async def main(database: str, journal: str, seed: int) -> None:
    chance = random.Random(seed)
    file = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    runner = UUID(int=chance.getrandbits(128))

    def write(*facts: object) -> None:
        os.write(file, (" ".join(map(str, facts)) + "\n").encode())

    async with SqliteStorage(database) as storage:

        async def push() -> None:
            while True:
                jobs = [NewJobInfo("job", queue=chance.choice(QUEUES), heartbeat_interval=INTERVAL, max_retries=None)]
                jobs *= chance.choice((1, 1, 5))
                for job_id in await storage.push_many(jobs):
                    write("pushed", job_id)
                await asyncio.sleep(chance.random() / 200)

        async def work(queue: str) -> None:
            while True:
                before = time.time_ns()
                job = await storage.pop(queue, runner)
                # The claim was made after `before`, so the lease lasts at least until then plus five intervals.
                until = before + 5 * INTERVAL // timedelta(microseconds=1) * 1000
                write("popped", job.id, job.delivery_count, time.time_ns(), until)
                if chance.random() < 0.3:
                    await asyncio.sleep(chance.random() / 20)
                result = chance.choice((JobResult.SUCCESS, JobResult.SUCCESS, JobResult.SUCCESS, JobResult.UNEXECUTED))
                try:
                    write("completing" if result is JobResult.SUCCESS else "releasing", job.id, job.delivery_count)
                    await storage.complete(job.returned(result, runner))
                    write("completed" if result is JobResult.SUCCESS else "released", job.id, job.delivery_count)
                except LeaseLost:
                    write("lost", job.id, job.delivery_count)

        write("ready")
        await asyncio.gather(*(push() for _ in range(4)), *(work(queue) for queue in QUEUES for _ in range(4)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
