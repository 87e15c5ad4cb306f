"""Limits of tokens per minute and day, for API keys and tenants. Tokens are counted when a request has used them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass

from rag.auth.caller import Caller, current_caller
from rag.auth.limits import Subject
from rag.errors import RateLimitExceeded
from rag.ports import Count, Counters, Window

_MINUTE_S, _DAY_S = 60, 86_400


@dataclass(frozen=True, slots=True)
class _Limit:
    subject: Subject
    tokens: int
    window: Window

    def __str__(self) -> str:
        span = "minute" if self.window.length_s == _MINUTE_S else "day"
        return f"{self.subject} is limited to {self.tokens} tokens a {span}"


class TokenLimits:
    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._adding: set[asyncio.Task[None]] = set()

    async def check(self, caller: Caller, response_headers: MutableMapping[str, str]) -> None:
        """Raise if the caller has no tokens left. How many the request will use is not known yet.

        Args:
            response_headers: OpenAI's `x-ratelimit-...` are added, of the limit of which the least is left.

        Raises:
            RateLimitExceeded: says after how many seconds the next request is admitted.
        """
        if not (limits := list(_limits(caller))):
            return
        counts = list(zip(limits, await self._counters.read([limit.window for limit in limits]), strict=True))
        _describe(*min(counts, key=lambda pair: _remaining(*pair)), response_headers)
        exceeded = [(limit, count) for limit, count in counts if not _remaining(limit, count)]
        if exceeded:
            limit, count = max(exceeded, key=lambda pair: pair[1].ends_in_s)
            wait_s = max(1, math.ceil(count.ends_in_s))
            message = f"{limit}, and all are used; try again in {wait_s} s"
            raise RateLimitExceeded(message, retry_after_s=wait_s)

    async def add(self, tokens: int) -> None:
        """Count tokens that the current request has used. They are counted even if the request is cancelled."""
        caller = current_caller.get()
        if caller is None or tokens <= 0 or not (limits := list(_limits(caller))):
            return
        task = asyncio.create_task(self._counters.add([limit.window for limit in limits], tokens))
        self._adding.add(task)
        task.add_done_callback(self._adding.discard)
        await asyncio.shield(task)

    async def close(self) -> None:
        await asyncio.gather(*self._adding)
        await self._counters.close()


def _limits(caller: Caller) -> Iterator[_Limit]:
    for subject in caller.subjects:
        limits = subject.limits
        for tokens, length_s in ((limits.tokens_per_minute, _MINUTE_S), (limits.tokens_per_day, _DAY_S)):
            if tokens is not None:
                yield _Limit(subject, tokens, Window(f"{subject.kind}:{subject.id}:{length_s}", length_s))


def _remaining(limit: _Limit, count: Count) -> int:
    return max(0, limit.tokens - count.value)


def _describe(limit: _Limit, count: Count, response_headers: MutableMapping[str, str]) -> None:
    response_headers["x-ratelimit-limit-tokens"] = str(limit.tokens)
    response_headers["x-ratelimit-remaining-tokens"] = str(_remaining(limit, count))
    response_headers["x-ratelimit-reset-tokens"] = f"{count.ends_in_s:.1f}s"
