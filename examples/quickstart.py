"""One job, whose first attempt fails, and a worker that carries it through."""

import asyncio

from jobcore import App, JobContext, Linear, Worker

app = App("memory://")
done = asyncio.Event()


@app.job(queue="mail", backoff=Linear(0.1))
async def welcome(ctx: JobContext, name: str) -> None:
    if ctx.job.retry_count == 0:
        raise ConnectionError("the mail server is down")
    print(f"Welcome, {name}! Attempt {ctx.job.retry_count + 1}, after {ctx.job.last_error}")
    done.set()


async def main() -> None:
    async with Worker(app, {"mail": 8}):  # 8 jobs of this queue at once
        await welcome.push("Ada")
        await done.wait()


asyncio.run(main())
