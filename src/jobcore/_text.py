"""Quick looks at text, for what nearly always holds; the slow and exact way follows where it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypeGuard


def is_plain(value: object, limit: int) -> TypeGuard[str]:
    """Whether this is an exact `str` of 1 to `limit` ASCII characters, without NUL."""
    return type(value) is str and value.isascii() and 0 < len(value) <= limit and "\0" not in value


def may_hold_non_finite(raw: bytes) -> bool:
    """Whether msgspec may have met a NaN or an infinity here; true for all texts where it did.

    It writes them as `null`, and as "nan", "inf" or "-inf" where they are the key of an object.
    """
    return b"null" in raw or b'"nan"' in raw or b'inf"' in raw


def exact(raw: bytes) -> bytes:
    """The same bytes, in no more memory than they need (msgspec's results keep the room that they were written in)."""
    return raw
