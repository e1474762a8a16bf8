"""What the demo shows: a bar on a terminal where rich is there, a line each second elsewhere; a summary."""

from __future__ import annotations

import os
import sys
from collections import Counter
from contextlib import contextmanager
from importlib.util import find_spec
from time import monotonic as now
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from jobcore.cli.demo.run import Books
    from jobcore.stats import StorageStats


@contextmanager
def progress(total: int) -> Generator[Callable[[StorageStats], None]]:
    """A function to be called now and then."""
    if sys.stdout.isatty() and find_spec("rich"):
        with _bar(total) as update:
            yield update
    else:
        yield _lines(total)


@contextmanager
def _bar(total: int) -> Generator[Callable[[StorageStats], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (BarColumn(None), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, expand=True) as bars:
        bar = bars.add_task("", total=total)

        def update(stats: StorageStats) -> None:
            bars.update(bar, completed=stats.completed + stats.dead, description=_events(stats))

        yield update


def _lines(total: int) -> Callable[[StorageStats], None]:
    due = now() + 1

    def update(stats: StorageStats) -> None:
        nonlocal due
        if now() >= due:
            due += 1
            click.echo(f"{stats.completed + stats.dead:,} of {total:,}: {_events(stats)}")

    return update


def _events(stats: StorageStats) -> str:
    return f"{stats.failed} retried, {stats.reclaimed} reclaimed, {stats.dead} dead"


def summary(books: Books, stats: StorageStats, seconds: float, lost: int) -> None:
    """What there was to do, what went wrong, what came of it."""
    entries = books.index.entries.values()
    reasons = Counter(books.index.dead.values()).most_common(3)
    contents = len({entry.sha256 for entry in entries})
    rows = [
        ("found", len(books.files), "files, a job for each"),
        ("indexed", stats.completed, "each exactly once"),
        ("dead", stats.dead, "; ".join(f"{number} {reason[:50]}" for reason, number in reasons)),
        ("retried", stats.failed, "attempts failed, and the jobs came back 0.2 s later"),
        ("killed", books.killed, "runner, with jobs in hand"),
        ("reclaimed", stats.reclaimed, "jobs came back when their leases of 0.5 s ran out"),
        ("bytes", sum(entry.size for entry in entries), f"of {contents:,} different contents"),
        ("lines", sum(entry.lines for entry in entries), ""),
        ("jobs/s", round(len(books.files) / seconds), f"in {seconds:.2f} s"),
    ]
    if books.unread:
        rows.insert(1, ("unread", len(books.unread), "directories could not be listed"))
    click.echo()
    for name, number, remark in rows:
        click.echo(f"{name:<10}{number:>15,}  {_styled(remark, dim=True)}".rstrip())
    verdict = "NOT every file is accounted for" if lost else "every file was indexed exactly once or is dead"
    click.echo("\n" + _styled(f"{lost:,} lost: {verdict}", fg="red" if lost else "green", bold=True))


def _styled(text: str, **style: Any) -> str:
    return text if os.environ.get("NO_COLOR") or not text else click.style(text, **style)
