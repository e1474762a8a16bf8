"""What the peers on Redis and Valkey share."""

from __future__ import annotations

from typing import Any


def used_memory(url: str) -> int:
    """Bytes that the server has in use."""
    import redis

    with redis.Redis.from_url(url) as client:
        information: Any = client.info("memory")
    return int(information["used_memory"])
