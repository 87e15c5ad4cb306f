"""Usage counters in Redis, shared by all replicas. If Redis does not answer, each process uses its own counts."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from redis.exceptions import RedisError

from rag.adapters.redis.client import redis_client
from rag.ports import Count, Counters, Window

logger = logging.getLogger("rag.limits")

T = TypeVar("T")
_PREFIX = "rag:1:count:"
_CALL_TIMEOUT_S = 0.25
_RETRY_AFTER_S = 5.0


class RedisCounters:
    """Implements `rag.ports.Counters` for one event loop.

    Args:
        url: `redis://`, `rediss://` or `unix://`, optionally with a password.
        own: Counts of this process, for outages.
        call_timeout_s: Timeout of one call.

    Raises:
        SetupError: the URL is not valid.
    """

    def __init__(
        self,
        url: str,
        own: Counters,
        *,
        call_timeout_s: float = _CALL_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # Untyped: redis's types do not distinguish raw replies from decoded ones.
        self._redis: Any = redis_client(url, call_timeout_s)
        self._call_timeout_s = call_timeout_s
        self._own = own
        self._clock = clock
        self._paused_until = float("-inf")
        self._is_out = False

    async def add(self, windows: Sequence[Window], amount: int) -> None:
        await self._own.add(windows, amount)
        await self._try(lambda: self._add(windows, amount))

    async def read(self, windows: Sequence[Window]) -> Sequence[Count]:
        shared = await self._try(lambda: self._read(windows))
        return await self._own.read(windows) if shared is None else shared

    async def close(self) -> None:
        await self._own.close()
        await self._try(self._redis.aclose)

    async def _add(self, windows: Sequence[Window], amount: int) -> None:
        async with self._redis.pipeline(transaction=True) as commands:
            for window in windows:
                commands.set(_PREFIX + window.name, 0, ex=window.length_s, nx=True)
                commands.incrby(_PREFIX + window.name, amount)
            await commands.execute()

    async def _read(self, windows: Sequence[Window]) -> Sequence[Count]:
        async with self._redis.pipeline(transaction=True) as commands:
            for window in windows:
                commands.get(_PREFIX + window.name)
                commands.pttl(_PREFIX + window.name)
            replies = await commands.execute()
        pairs = zip(replies[::2], replies[1::2], strict=True)
        return [Count(int(value or 0), max(0, milliseconds) / 1000) for value, milliseconds in pairs]

    async def _try(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """The result of `work`; None if Redis does not answer."""
        if self._clock() < self._paused_until:
            return None
        try:
            async with asyncio.timeout(self._call_timeout_s):
                result = await work()
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error)
            return None
        if self._is_out:
            logger.info("the token counts in Redis can be read again")
        self._is_out = False
        return result

    def _failed(self, error: Exception) -> None:
        if not self._is_out:
            logger.warning(
                "the token counts in Redis cannot be read (%s): this process goes by its own; retrying every %g s",
                type(error).__name__,
                _RETRY_AFTER_S,
            )
        self._is_out, self._paused_until = True, self._clock() + _RETRY_AFTER_S
