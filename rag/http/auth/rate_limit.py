"""Requests a minute of an API key: a token bucket for each key, in this process."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass

from cachetools import LRUCache

from rag.errors import RateLimitExceeded

_MAX_KEYS = 4096


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class RateLimits:
    """Args: `clock` returns seconds, for tests."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: LRUCache[str, _Bucket] = LRUCache(_MAX_KEYS)

    def count(self, key_id: str, per_minute: int, response_headers: MutableMapping[str, str]) -> None:
        """Count a request of the key. A minute's requests may come at once; then one each time one becomes free.

        Args:
            response_headers: OpenAI's `x-ratelimit-...` are added.

        Raises:
            RateLimitExceeded: says after how many seconds the next request is admitted.
        """
        now = self._clock()
        bucket = self._buckets.setdefault(key_id, _Bucket(per_minute, now))
        bucket.tokens = min(per_minute, bucket.tokens + (now - bucket.filled_at) * per_minute / 60)
        bucket.filled_at = now
        admitted = bucket.tokens >= 1
        if admitted:
            bucket.tokens -= 1
        response_headers["x-ratelimit-limit-requests"] = str(per_minute)
        response_headers["x-ratelimit-remaining-requests"] = str(int(bucket.tokens))
        response_headers["x-ratelimit-reset-requests"] = f"{(per_minute - bucket.tokens) * 60 / per_minute:.1f}s"
        if not admitted:
            wait_s = math.ceil((1 - bucket.tokens) * 60 / per_minute)
            raise RateLimitExceeded(
                f"the API key is limited to {per_minute} requests a minute; try again in {wait_s} s",
                retry_after_s=wait_s,
            )
