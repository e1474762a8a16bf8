"""One job, whose first attempt fails, and a runner that carries it through."""

import asyncio
from uuid import uuid4

from jobcore import JobInfo, JobResult, Linear, MemoryStorage, NewJobInfo


def greet(job: JobInfo) -> None:
    if job.retry_count == 0:
        raise ConnectionError("the mail server is down")
    print(f"{job.name}, {job.args['name']}! Delivery {job.delivery_count}, after: {job.last_error}")


async def main() -> None:
    me = uuid4()  # a runner: whoever pops jobs
    async with MemoryStorage() as storage:
        await storage.push(NewJobInfo("welcome", {"name": "Ada"}, queue="mail", backoff=Linear(0.1)))
        while len(storage):
            job = await storage.pop("mail", me)  # waits; the job is mine for 25 s, longer by storage.heartbeat()
            try:
                greet(job)
            except ConnectionError as error:  # it comes back when its backoff is over
                await storage.complete(job.returned(JobResult.FAILURE, me, error=str(error)))
            else:
                await storage.complete(job.returned(JobResult.SUCCESS, me))


asyncio.run(main())
