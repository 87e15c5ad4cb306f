"""The Redis in which replicas share what limits count. While it does not answer, each process uses its own counts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from redis.exceptions import RedisError

from rag.adapters.redis.client import redis_client

logger = logging.getLogger("rag.limits")

T = TypeVar("T")
_CALL_TIMEOUT_S = 0.25
_RETRY_AFTER_S = 5.0
_ERRORS = (RedisError, OSError, TimeoutError)


class LimitsRedis:
    """A connection for one event loop, of `RedisBuckets` and `RedisCounters` together: during an outage both stop
    calling Redis, and the log says so once.

    Args:
        url: `redis://`, `rediss://` or `unix://`, optionally with a password.
        call_timeout_s: Timeout of one call.

    Raises:
        SetupError: the URL is not valid.
    """

    def __init__(
        self,
        url: str,
        *,
        call_timeout_s: float = _CALL_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # Untyped: redis's types do not distinguish raw replies from decoded ones.
        self.client: Any = redis_client(url, call_timeout_s)
        self._call_timeout_s = call_timeout_s
        self._clock = clock
        self._paused_until = float("-inf")
        self._is_out = False

    async def attempt(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """The result of `work`; None if Redis does not answer."""
        if self._clock() < self._paused_until:
            return None
        try:
            async with asyncio.timeout(self._call_timeout_s):
                result = await work()
        except _ERRORS as error:
            self._failed(error)
            return None
        if self._is_out:
            logger.info("the counts of limits in Redis can be read again")
        self._is_out = False
        return result

    def _failed(self, error: Exception) -> None:
        if not self._is_out:
            logger.warning(
                "the counts of limits in Redis cannot be read (%s): this process uses its own; retrying every %g s",
                type(error).__name__,
                _RETRY_AFTER_S,
            )
        self._is_out, self._paused_until = True, self._clock() + _RETRY_AFTER_S

    async def close(self) -> None:
        with contextlib.suppress(*_ERRORS):
            async with asyncio.timeout(self._call_timeout_s):
                await self.client.aclose()
