"""Usage counters in Redis, shared by all replicas. If Redis does not answer, each process uses its own counts."""

from __future__ import annotations

from collections.abc import Sequence

from rag.adapters.redis.limits_redis import LimitsRedis
from rag.ports import Count, Counters, Window

_PREFIX = "rag:1:count:"


class RedisCounters:
    """Implements `rag.ports.Counters` for one event loop.

    Args:
        redis: The connection, which `close` closes.
        own: Counts of this process, for outages.
    """

    def __init__(self, redis: LimitsRedis, own: Counters) -> None:
        self._redis = redis
        self._own = own

    async def add(self, windows: Sequence[Window], amount: int) -> None:
        await self._own.add(windows, amount)
        await self._redis.attempt(lambda: self._add(windows, amount))

    async def read(self, windows: Sequence[Window]) -> Sequence[Count]:
        shared = await self._redis.attempt(lambda: self._read(windows))
        return await self._own.read(windows) if shared is None else shared

    async def close(self) -> None:
        await self._own.close()
        await self._redis.close()

    async def _add(self, windows: Sequence[Window], amount: int) -> None:
        async with self._redis.client.pipeline(transaction=True) as commands:
            for window in windows:
                commands.set(_PREFIX + window.name, 0, ex=window.length_s, nx=True)
                commands.incrby(_PREFIX + window.name, amount)
            await commands.execute()

    async def _read(self, windows: Sequence[Window]) -> Sequence[Count]:
        async with self._redis.client.pipeline(transaction=True) as commands:
            for window in windows:
                commands.get(_PREFIX + window.name)
                commands.pttl(_PREFIX + window.name)
            replies = await commands.execute()
        pairs = zip(replies[::2], replies[1::2], strict=True)
        return [Count(int(value or 0), max(0, milliseconds) / 1000) for value, milliseconds in pairs]
