"""A web application that pushes jobs, and works them off itself: `uvicorn --app-dir examples web:web`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from jobcore import App, Worker

app = App("memory://")


@app.job(queue="mail")
async def remind(email: str) -> None:
    print(f"to {email}: remember!")


async def push(request: Request) -> JSONResponse:
    """POST /reminders {"email": "ada@example.org", "seconds": 60}"""
    wish = await request.json()
    job_id = await remind.options(after=timedelta(seconds=wish["seconds"])).push(wish["email"])
    return JSONResponse({"job": str(job_id)}, status_code=202)


async def info(request: Request) -> JSONResponse:
    """GET /jobs/{id}"""
    job = await app.storage.info(request.path_params["id"])
    if job is None:
        return JSONResponse({"error": "done, dead, or never pushed"}, status_code=404)
    return JSONResponse({"name": job.name, "due": job.next_queue.isoformat(), "last_error": job.last_error})


@asynccontextmanager
async def lifespan(_web: Starlette) -> AsyncIterator[None]:
    async with Worker(app, {"mail": 2}, grace=5):
        yield


routes = [Route("/reminders", push, methods=["POST"]), Route("/jobs/{id:uuid}", info)]
web = Starlette(routes=routes, lifespan=lifespan)
