"""Connections to Redis."""

from __future__ import annotations

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from rag.errors import SetupError


def redis_client(url: str, timeout_s: float) -> Redis:
    """A client that connects when it is first used.

    Args:
        url: `redis://`, `rediss://` or `unix://`, optionally with a password.
        timeout_s: Of connecting, and of each reply.

    Raises:
        SetupError: the URL is not valid.
    """
    try:
        # Not a blocking pool, which can swallow a cancellation (docs/bentoml_issues.md#o7).
        pool = ConnectionPool.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            protocol=2,  # supported by every Redis
            retry=Retry(NoBackoff(), 1),  # a connection that was closed while idle is not an outage
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
    except (ValueError, TypeError):  # its message may contain the password
        raise SetupError(
            "RAG_CACHE__URL: must be the URL of a Redis server, such as redis://host:6379/0", param="RAG_CACHE__URL"
        ) from None
    return Redis.from_pool(pool)
