"""The command line: `jobcore`, or `python -m jobcore`."""

from jobcore.cli._main import main

__all__ = ["main"]
