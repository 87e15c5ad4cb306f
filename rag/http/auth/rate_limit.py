"""Requests a minute of API keys and tenants."""

from __future__ import annotations

import math
from collections.abc import MutableMapping

from rag.auth.caller import Caller
from rag.auth.limits import Subject
from rag.errors import RateLimitExceeded
from rag.ports import RequestBucket, RequestBuckets, Taken


class RateLimits:
    """Counts requests against the limits of their key and its tenant, and refuses those beyond."""

    def __init__(self, buckets: RequestBuckets) -> None:
        self._buckets = buckets

    async def count(self, caller: Caller, response_headers: MutableMapping[str, str]) -> None:
        """Count a request. A whole minute's requests may come at once; after that, they become available one by one.

        Args:
            response_headers: OpenAI's `x-ratelimit-...` are added, of the limit of which the least is left.

        Raises:
            RateLimitExceeded: says after how many seconds the next request is admitted.
        """
        limited = [
            (subject, RequestBucket(f"{subject.kind}:{subject.id}", per_minute))
            for subject in caller.subjects
            if (per_minute := subject.limits.requests_per_minute) is not None
        ]
        if not limited:
            return
        taken = await self._buckets.take([bucket for _, bucket in limited])
        for (subject, bucket), result in zip(limited, taken, strict=False):
            _describe(bucket, result, response_headers)
            if not result.admitted:
                raise _refusal(subject, bucket, result)

    async def close(self) -> None:
        await self._buckets.close()


def _describe(bucket: RequestBucket, taken: Taken, response_headers: MutableMapping[str, str]) -> None:
    remaining, per_minute = int(taken.left), bucket.per_minute
    if remaining <= int(response_headers.get("x-ratelimit-remaining-requests", remaining)):
        response_headers["x-ratelimit-limit-requests"] = str(per_minute)
        response_headers["x-ratelimit-remaining-requests"] = str(remaining)
        response_headers["x-ratelimit-reset-requests"] = f"{(per_minute - taken.left) * 60 / per_minute:.1f}s"


def _refusal(subject: Subject, bucket: RequestBucket, taken: Taken) -> RateLimitExceeded:
    wait_s = max(1, math.ceil((1 - taken.left) * 60 / bucket.per_minute))
    return RateLimitExceeded(
        f"{subject} is limited to {bucket.per_minute} requests a minute; try again in {wait_s} s",
        retry_after_s=wait_s,
    )
