"""How words on the command line become values."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import click

from jobcore._json import decode


class Queue(click.ParamType[tuple[str, int]]):
    """`name=8`: a queue, and how many of its jobs run at once."""

    name = "NAME=N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """The name may hold an equals sign, the number not."""
        queue, _, number = str(value).rpartition("=")
        if not queue or not number.isascii() or not number.isdigit() or int(number) == 0:
            self.fail(f"{value!r} is no queue and its concurrency: write it like default=8", param, ctx)
        return queue, int(number)


class Seconds(click.ParamType[Any]):
    """A number of seconds, 0 or more."""

    name = "SECONDS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """No infinity, and not a number that is none."""
        try:
            seconds = float(value)
        except ValueError:
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        if not math.isfinite(seconds) or seconds < 0:
            self.fail(f"{value!r} must be 0 seconds or more, and finite", param, ctx)
        return seconds


class Delay(Seconds):
    """The same as a timedelta."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As far as a timedelta goes."""
        try:
            return timedelta(seconds=super().convert(value, param, ctx))
        except OverflowError:
            self.fail(f"{value!r} seconds are too many", param, ctx)


class Moment(click.ParamType[datetime]):
    """A date and time in ISO 8601, with its offset from UTC."""

    name = "ISO"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Without an offset nobody knows which moment is meant."""
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no date and time in ISO 8601, like 2030-01-31T12:00:00+01:00", param, ctx)
        if moment.tzinfo is None:
            self.fail(f"{value!r} has no offset from UTC: add one, like +01:00 or Z", param, ctx)
        return moment


class JSON(click.ParamType[Any]):
    """Any JSON value."""

    name = "JSON"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Decoded by the codec that jobs go through."""
        try:
            return decode(str(value).encode())
        except (ValueError, RecursionError) as error:
            self.fail(f"this is no JSON: {error}", param, ctx)
