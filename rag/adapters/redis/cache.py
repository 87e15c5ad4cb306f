"""A cache in Redis that replicas share. If Redis is down, slow or full, entries are missed, but no request fails."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache
from redis.exceptions import RedisError, ResponseError

from rag.adapters.redis.client import redis_client
from rag.retrieve.cache.question_group import MAX_GROUP_QUESTIONS, QuestionGroup

logger = logging.getLogger("rag.cache")

T = TypeVar("T")
_PREFIX = "rag:1:"
"""Prefix of all keys; the number is the version of the format."""
_CALL_TIMEOUT_S = 0.1
_CONNECT_S = 2.0
"""Timeout of connecting, which happens in the background, and of abandoned calls at shutdown."""
_RETRY_AFTER_S = 5.0
_MAX_TIMEOUTS = 3
"""Timeouts in a row that count as an outage; a single one may be a delay of this process."""
_CONNECTIONS = 16
_MAX_LOCAL_GROUPS = 16
"""Groups of questions that this process holds a copy of."""
_ENTRIES_PER_FETCH = 200
"""Maximum entries of a group that are fetched for one question; the next question fetches more."""
_NEAREST_TRIED = 4
"""Number of nearest questions whose values are requested."""
_CONNECTION_ERRORS = (RedisError, OSError, TimeoutError)


class _Outage:
    """A kind of call that fails at the moment: logged once, and not retried before a pause has passed."""

    def __init__(self, what: str, clock: Callable[[], float]) -> None:
        self._what = what
        self._clock = clock
        self._since = 0.0
        self._retry_at = 0.0
        self.reason = ""
        """Empty if there is no outage."""

    @property
    def is_paused(self) -> bool:
        return bool(self.reason) and self._clock() < self._retry_at

    def pause(self) -> None:
        self._retry_at = self._clock() + _RETRY_AFTER_S

    def began(self, reason: str) -> None:
        self.pause()
        if not self.reason:
            self._since = self._clock()
            logger.warning(
                "the cache in Redis %s (%s): requests are answered without it; retrying every %g s",
                self._what,
                reason,
                _RETRY_AFTER_S,
            )
        self.reason = reason

    def ended(self) -> None:
        if self.reason:
            logger.info("the cache in Redis works again after %.0f s", self._clock() - self._since)
        self.reason = ""


class _LocalGroup:
    """This process's copy of a group of questions, which is a stream in Redis."""

    def __init__(self) -> None:
        self.questions: QuestionGroup | None = None
        self.lock = asyncio.Lock()
        """Held while new entries are fetched, so that nothing is fetched twice."""
        self._last = (0, 0)

    @property
    def next_id(self) -> str:
        """The lowest id that the next entry can have."""
        milliseconds, number = self._last
        return f"{milliseconds}-{number + 1}"

    def add(self, entry_id: bytes, entry: Mapping[bytes, bytes]) -> None:
        milliseconds, _, number = entry_id.partition(b"-")
        self._last = max(self._last, (int(milliseconds), int(number)))
        vector = np.frombuffer(entry[b"vector"], dtype="<f4")
        if self.questions is None:
            self.questions = QuestionGroup(len(vector))
        if len(vector) == self.questions.dimensions:
            self.questions.add(entry[b"key"].decode(), vector, float(entry[b"expires"]))


class RedisCache:
    """A cache in Redis. Implements `rag.ports.Cache`, for one event loop.

    While there is no connection, calls return at once without a result, and connecting is retried in the background.

    Args:
        url: `redis://`, `rediss://` or `unix://`, optionally with a password.
        call_timeout_s: Timeout of one call.

    Raises:
        SetupError: the URL is not valid.
    """

    def __init__(
        self, url: str, *, call_timeout_s: float = _CALL_TIMEOUT_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._call_timeout_s = call_timeout_s
        # Untyped: redis's types do not distinguish raw replies from decoded ones.
        self._redis: Any = redis_client(url, _CONNECT_S)
        self._is_connected = False
        self._connecting: asyncio.Task[None] | None = None
        self._clock = clock
        self._answered_at = 0.0
        self._missed = 0
        self._free = asyncio.Semaphore(_CONNECTIONS)
        self._abandoned: set[asyncio.Task[object]] = set()
        """Calls that exceeded their timeout and are being cancelled."""
        self._outage = _Outage("does not answer", clock)
        self._refused = {"get": _Outage("gives nothing", clock), "put": _Outage("takes nothing", clock)}
        self._groups: LRUCache[str, _LocalGroup] = LRUCache(_MAX_LOCAL_GROUPS)

    async def connect(self) -> None:
        """Connect now, so that a failure is logged before the first request, and shown in `facts`."""
        try:
            await self._within(_CONNECT_S, self._redis.ping)
        except _CONNECTION_ERRORS as error:
            self._outage.began(_reason(error))
        else:
            self._is_connected = True
            self._outage.ended()

    async def get(self, key: str) -> bytes | None:
        return await self._try("get", lambda: self._value(key))

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        await self._try("put", lambda: self._redis.set(_value_name(key), value, px=_milliseconds(ttl_s)))

    async def near(self, group: str, vector: npt.NDArray[np.float32], min_cosine: float) -> tuple[str, bytes] | None:
        return await self._try("get", lambda: self._near(group, vector, min_cosine))

    async def remember(self, group: str, vector: npt.NDArray[np.float32], key: str, ttl_s: float) -> None:
        entry: dict[str, bytes | str] = {
            "key": key,
            "vector": np.asarray(vector, dtype="<f4").tobytes(),
            "expires": repr(time.time() + ttl_s),
        }
        await self._try("put", lambda: self._remember(_group_name(group), entry, _milliseconds(ttl_s)))

    def facts(self) -> Mapping[str, object]:
        outages = (self._outage, *self._refused.values())
        reason = next((outage.reason for outage in outages if outage.reason), None)
        return {"kind": "redis", **({"degraded": reason} if reason else {})}

    async def close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        self._is_connected = False
        with contextlib.suppress(*_CONNECTION_ERRORS):
            await self._redis.aclose()
        if self._abandoned:
            await asyncio.wait(self._abandoned, timeout=_CONNECT_S)

    async def _try(self, kind: Literal["get", "put"], work: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
        """The result of `work`; None if Redis fails or does not answer in time."""
        if not self._is_connected:
            self._connect_in_background()
            return None
        refused = self._refused[kind]
        if refused.is_paused:
            return None
        began = self._clock()
        try:
            result = await self._within(self._call_timeout_s, work)
        except ResponseError as error:
            refused.began(_reason(error))
            return None
        except _CONNECTION_ERRORS as error:
            self._failed(error, began)
            return None
        refused.ended()
        self._answered_at, self._missed = self._clock(), 0
        return result

    async def _within(self, timeout_s: float, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of `work`, or a TimeoutError in time even if the library is slow to react to cancellation."""

        async def in_turn() -> T:
            async with self._free:
                return await work()

        task = asyncio.create_task(in_turn())
        try:
            await asyncio.wait([task], timeout=timeout_s)
            if not task.done():
                raise TimeoutError
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                self._abandoned.add(task)
                task.add_done_callback(self._discard)

    def _discard(self, task: asyncio.Task[object]) -> None:
        self._abandoned.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved; it was reported as a timeout before

    def _failed(self, error: Exception, began: float) -> None:
        if isinstance(error, TimeoutError):
            self._missed += self._answered_at < began  # not if another call was answered meanwhile: Redis is only busy
            if self._missed < _MAX_TIMEOUTS:
                return
        self._missed = 0
        self._is_connected = False
        self._outage.began(_reason(error))

    def _connect_in_background(self) -> None:
        if self._outage.is_paused or (self._connecting is not None and not self._connecting.done()):
            return
        self._connecting = asyncio.create_task(self.connect())

    async def _value(self, key: str) -> bytes | None:
        value: bytes | None = await self._redis.get(_value_name(key))
        return value

    async def _near(self, group: str, vector: npt.NDArray[np.float32], min_cosine: float) -> tuple[str, bytes] | None:
        copy = self._copy(group)
        async with copy.lock:
            for entry_id, entry in await self._redis.xrange(
                _group_name(group), min=copy.next_id, count=_ENTRIES_PER_FETCH
            ):
                copy.add(entry_id, entry)
        if copy.questions is None:
            return None
        keys = copy.questions.nearest(vector, min_cosine, time.time())[:_NEAREST_TRIED]
        values = await self._redis.mget([_value_name(key) for key in keys]) if keys else []
        return next(((key, value) for key, value in zip(keys, values, strict=True) if value is not None), None)

    async def _remember(self, name: str, entry: dict[str, bytes | str], ttl_ms: int) -> None:
        async with self._redis.pipeline(transaction=True) as both:
            both.xadd(name, entry, maxlen=MAX_GROUP_QUESTIONS, approximate=False)
            both.pexpire(name, ttl_ms)
            await both.execute()

    def _copy(self, group: str) -> _LocalGroup:
        if (known := self._groups.get(group)) is not None:
            return known
        copy = self._groups[group] = _LocalGroup()
        return copy


def _reason(error: Exception) -> str:
    """The kind of error. Its message may contain the value that was to be stored."""
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
    return type(cause).__name__


def _value_name(key: str) -> str:
    return f"{_PREFIX}value:{key}"


def _group_name(group: str) -> str:
    return f"{_PREFIX}group:{group}"


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
