"""Buckets of requests in Redis, shared by all replicas. If Redis does not answer, each process uses its own."""

from __future__ import annotations

from collections.abc import Sequence

from rag.adapters.redis.limits_redis import LimitsRedis
from rag.ports import RequestBucket, RequestBuckets, Taken

_PREFIX = "rag:1:bucket:"
_MINUTE_US = 60_000_000
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local replies = {}
for i, key in ipairs(KEYS) do
    local full_at = math.max(now, tonumber(redis.call('GET', key) or 0))
    local filled_at = full_at + math.floor(60000000 / ARGV[i])
    local admitted = filled_at - now <= 60000000
    if admitted then
        full_at = filled_at
        redis.call('SET', key, string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000))
    end
    replies[i] = {admitted and 1 or 0, full_at - now}
    if not admitted then break end
end
return replies
"""
"""A bucket is stored as the time at which it will be full again, in microseconds of Redis's clock, and expires then.
Arguments: the requests a minute of each bucket. Result: whether each was admitted, and after how many microseconds the
bucket will be full.
"""


class RedisBuckets:
    """Implements `rag.ports.RequestBuckets` for one event loop.

    What this process's own buckets refuse is not sent to Redis, so a client costs it no more calls than its limit says.

    Args:
        redis: The connection, which `close` closes.
        own: The buckets of this process.
    """

    def __init__(self, redis: LimitsRedis, own: RequestBuckets) -> None:
        self._redis = redis
        self._own = own

    async def take(self, buckets: Sequence[RequestBucket]) -> Sequence[Taken]:
        taken = await self._own.take(buckets)
        if not all(each.admitted for each in taken):
            return taken
        shared = await self._redis.attempt(lambda: self._take(buckets))
        return taken if shared is None else shared

    async def _take(self, buckets: Sequence[RequestBucket]) -> Sequence[Taken]:
        names = [_PREFIX + bucket.name for bucket in buckets]
        replies = await self._redis.client.eval(_TAKE, len(names), *names, *(each.per_minute for each in buckets))
        return [
            Taken(bool(admitted), bucket.per_minute * max(0.0, 1 - full_in_us / _MINUTE_US))
            for bucket, (admitted, full_in_us) in zip(buckets, replies, strict=False)
        ]

    async def close(self) -> None:
        await self._own.close()
        await self._redis.close()
