"""Time at the edges: datetimes and timedeltas outside, integer microseconds inside.

Due times are microseconds since 1970 (UTC), as far as `datetime` reaches; both conversions are exact.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
EARLIEST = (datetime.min.replace(tzinfo=UTC) - EPOCH) // MICROSECOND
LATEST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // MICROSECOND


def to_microseconds(moment: datetime) -> int:
    """Microseconds from 1970 to an aware datetime."""
    return (moment - EPOCH) // MICROSECOND


def to_datetime(microseconds: int) -> datetime:
    """The aware datetime (UTC) at so many microseconds after 1970."""
    return EPOCH + timedelta(microseconds=microseconds)


def later(now: int, microseconds: float) -> int:
    """`now` plus so many microseconds; what overflows ends at the earliest or latest date."""
    if microseconds >= LATEST - now:
        return LATEST
    return max(EARLIEST, now + round(microseconds))
