"""Counts usage: in time windows, such as a minute or a day, and in buckets of requests that fill up again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Window:
    """A time window in which usage is counted. A count starts it; the first count after its end starts another."""

    name: str
    length_s: int


@dataclass(frozen=True, slots=True)
class Count:
    value: int
    ends_in_s: float
    """Until the end of the window; 0 if it has not begun."""


class Counters(Protocol):
    """Counters that may be lost at any time. No method raises or takes longer than a fraction of a second."""

    async def add(self, windows: Sequence[Window], amount: int) -> None: ...

    async def read(self, windows: Sequence[Window]) -> Sequence[Count]:
        """The count of each window, in their order."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class RequestBucket:
    """A token bucket: full, it holds a minute's requests; one that is taken comes back after its part of a minute."""

    name: str
    per_minute: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of taking a request from a bucket."""

    admitted: bool
    left: float
    """Requests in the bucket after that. The next one can be taken when there is a whole one."""


class RequestBuckets(Protocol):
    """Buckets that may be full again at any time. No method raises or takes longer than a fraction of a second."""

    async def take(self, buckets: Sequence[RequestBucket]) -> Sequence[Taken]:
        """Take a request from each bucket in turn. The first empty one ends this, and is the last in the result."""
        ...

    async def close(self) -> None: ...
