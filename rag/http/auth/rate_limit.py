"""Requests a minute of API keys and tenants: a token bucket for each, in this process."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass

from cachetools import LRUCache

from rag.auth.caller import Caller
from rag.auth.limits import Subject
from rag.errors import RateLimitExceeded

_MAX_SUBJECTS = 4096


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class RateLimits:
    """The token buckets of API keys and tenants.

    Args:
        clock: Returns seconds, for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: LRUCache[tuple[str, str], _Bucket] = LRUCache(_MAX_SUBJECTS)

    def count(self, caller: Caller, response_headers: MutableMapping[str, str]) -> None:
        """Count a request. A whole minute's requests may come at once; after that, they become available one by one.

        Args:
            response_headers: OpenAI's `x-ratelimit-...` are added, of the limit of which the least is left.

        Raises:
            RateLimitExceeded: says after how many seconds the next request is admitted.
        """
        for subject in caller.subjects:
            if (per_minute := subject.limits.requests_per_minute) is not None:
                self._count(subject, per_minute, response_headers)

    def _count(self, subject: Subject, per_minute: int, response_headers: MutableMapping[str, str]) -> None:
        now = self._clock()
        bucket = self._buckets.setdefault((subject.kind, subject.id), _Bucket(per_minute, now))
        bucket.tokens = min(per_minute, bucket.tokens + (now - bucket.filled_at) * per_minute / 60)
        bucket.filled_at = now
        admitted = bucket.tokens >= 1
        if admitted:
            bucket.tokens -= 1
        remaining = int(bucket.tokens)
        if remaining <= int(response_headers.get("x-ratelimit-remaining-requests", remaining)):
            response_headers["x-ratelimit-limit-requests"] = str(per_minute)
            response_headers["x-ratelimit-remaining-requests"] = str(remaining)
            response_headers["x-ratelimit-reset-requests"] = f"{(per_minute - bucket.tokens) * 60 / per_minute:.1f}s"
        if not admitted:
            wait_s = math.ceil((1 - bucket.tokens) * 60 / per_minute)
            raise RateLimitExceeded(
                f"{subject} is limited to {per_minute} requests a minute; try again in {wait_s} s",
                retry_after_s=wait_s,
            )
