"""`jobcore demo`: an index of a directory, made by jobs that fail and by a runner that dies."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import click

from jobcore.cli.demo.run import index_directory

LIBRARY = Path(sysconfig.get_path("stdlib"))


@click.command("demo")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=LIBRARY)
def command(directory: Path) -> int:
    """Index a directory: one job a file, some of which fail, and a runner that is killed.

    Takes Python's standard library if no DIRECTORY is given. Exit code 1 if a file is not accounted for.
    """
    return index_directory(directory, skip="site-packages" if directory == LIBRARY else "")
