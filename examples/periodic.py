"""A job that is pushed every quarter of a second, while a worker is there to push and to run it."""

import asyncio
from datetime import timedelta

from jobcore import App, JobContext, Worker

app = App("memory://")


@app.job
async def clean_up(ctx: JobContext, folder: str) -> None:
    print(f"cleaning {folder}, as pushed at {ctx.job.next_queue:%H:%M:%S.%f}")


app.every(timedelta(seconds=0.25), clean_up, "spool")


async def main() -> None:
    async with Worker(app):
        await asyncio.sleep(1.1)


asyncio.run(main())
