"""`jobcore info`: what a storage knows of one job."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from jobcore.cli._targets import app_of, storage_of

if TYPE_CHECKING:
    from uuid import UUID

    from jobcore.app import App
    from jobcore.jobs import JobInfo


@click.command("info")
@click.argument("target")
@click.argument("id", type=click.UUID)
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@click.option("--debug", is_flag=True, help="Show the traceback of a module that raises.")
def command(target: str, id: UUID, *, as_json: bool, debug: bool) -> None:
    """Show a job. Exit code 1 if it is not there: done, dead or never pushed."""
    job = asyncio.run(_info(app_of(target, debug=debug), id))
    if job is None:
        raise click.ClickException(f"there is no job {id}: it is done, dead, or was never pushed")
    click.echo(job.to_json() if as_json else _readable(job))


async def _info(app: App, job_id: UUID) -> JobInfo | None:
    async with storage_of(app) as storage:
        return await storage.info(job_id)


def _readable(job: JobInfo) -> str:
    retries = "any number" if job.max_retries is None else job.max_retries
    lines = {
        "id": job.id,
        "name": job.name,
        "queue": job.queue,
        "arguments": job.raw_args.decode(),
        "priority": job.priority,
        "due": job.next_queue.isoformat(" "),
        "retries": f"{job.retry_count} of {retries}, {job.backoff}",
        "deliveries": f"{job.delivery_count}, of which {job.lost_count} after a lost lease",
        "heartbeat": f"every {job.heartbeat_interval}",
        "last error": job.last_error or "none",
    }
    return "\n".join(f"{name:<12}{value}" for name, value in lines.items())
