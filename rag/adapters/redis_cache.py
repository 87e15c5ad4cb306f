"""A cache in Redis, shared by all who have its URL. One that is down, slow or full costs entries, never an answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from rag.errors import SetupError
from rag.retrieve.cache.question_group import MOST, QuestionGroup

logger = logging.getLogger("rag.cache")

T = TypeVar("T")
_PREFIX = "rag:1:"
"""Of all keys; the number is that of this way to keep things."""
_CALL_TIMEOUT_S = 0.1
_CONNECT_S = 2.0
"""For connecting, which no question waits for, and for what nobody waits for any more."""
_RETRY_AFTER_S = 5.0
_MAX_TIMEOUTS = 3
"""Calls in a row that were not answered in time make an outage; one alone may be this process's own delay."""
_CONNECTIONS = 16
_MAX_LOCAL_GROUPS = 16
"""Groups of questions of which this process holds a copy."""
_ENTRIES_PER_FETCH = 200
"""Entries of a group that one question fetches at most; the next question fetches more."""
_NEAREST_TRIED = 4
"""Nearest questions whose values are asked for."""
_CONNECTION_ERRORS = (RedisError, OSError, TimeoutError)


class _Outage:
    """What does not work at the moment: told once in the log, and not tried again before a pause is over."""

    def __init__(self, what: str, clock: Callable[[], float]) -> None:
        self._what = what
        self._clock = clock
        self._since = 0.0
        self._again_at = 0.0
        self.reason = ""
        """Empty while all is well."""

    @property
    def is_resting(self) -> bool:
        return bool(self.reason) and self._clock() < self._again_at

    def rest(self) -> None:
        self._again_at = self._clock() + _RETRY_AFTER_S

    def began(self, reason: str) -> None:
        self.rest()
        if not self.reason:
            self._since = self._clock()
            logger.warning(
                "the cache in Redis %s (%s): questions are answered without it; tried again every %g s",
                self._what,
                reason,
                _RETRY_AFTER_S,
            )
        self.reason = reason

    def ended(self) -> None:
        if self.reason:
            logger.info("the cache in Redis is well again after %.0f s", self._clock() - self._since)
        self.reason = ""


class _LocalGroup:
    """This process's copy of a group, as far as it has followed the stream that the group is in Redis."""

    def __init__(self) -> None:
        self.questions: QuestionGroup | None = None
        self.lock = asyncio.Lock()
        """Held while it follows: nobody fetches twice what is new."""
        self._last = (0, 0)

    @property
    def following(self) -> str:
        """Id of the first entry that is not known yet."""
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
    """A `rag.ports.Cache`, for one event loop.

    Calls do nothing until it is connected, and while Redis does not answer; meanwhile connecting is tried beside them.

    Args:
        url: `redis://`, `rediss://` or `unix://`, with a password if need be.
        patience_s: What a call may take.

    Raises:
        SetupError: that is no such URL.
    """

    def __init__(
        self, url: str, *, patience_s: float = _CALL_TIMEOUT_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._patience_s = patience_s
        self._redis: Any = _client(url)
        self._is_connected = False
        self._connecting: asyncio.Task[None] | None = None
        self._clock = clock
        self._answered_at = 0.0
        self._missed = 0
        self._free = asyncio.Semaphore(_CONNECTIONS)
        self._left: set[asyncio.Task[Any]] = set()
        """Calls that nobody waits for any more."""
        self._outage = _Outage("does not answer", clock)
        self._refused = {"get": _Outage("gives nothing", clock), "put": _Outage("takes nothing", clock)}
        self._copies: OrderedDict[str, _LocalGroup] = OrderedDict()

    async def connect(self) -> None:
        """Try it now: what is wrong is in the log before the first question, and in `facts`."""
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
        entry: dict[Any, Any] = {
            "key": key,
            "vector": np.asarray(vector, dtype="<f4").tobytes(),
            "expires": repr(time.time() + ttl_s),
        }
        await self._try("put", lambda: self._remember(_group_name(group), entry, _milliseconds(ttl_s)))

    def facts(self) -> Mapping[str, Any]:
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
        if self._left:
            await asyncio.wait(self._left, timeout=_CONNECT_S)

    async def _try(self, kind: Literal["get", "put"], work: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
        """What `work` returns; None when Redis does not do it at once."""
        if not self._is_connected:
            self._connect_beside()
            return None
        refused = self._refused[kind]
        if refused.is_resting:
            return None
        began = self._clock()
        try:
            result = await self._within(self._patience_s, work)
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
        """What `work` returns; never later, though the library may take its time to let go, or not let go at all."""

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
                self._left.add(task)
                task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._left.discard(task)
        if not task.cancelled():
            task.exception()  # it was told as late already

    def _failed(self, error: Exception, began: float) -> None:
        if isinstance(error, TimeoutError):
            self._missed += self._answered_at < began  # another call was answered meanwhile: it is only busy
            if self._missed < _MAX_TIMEOUTS:
                return
        self._missed = 0
        self._is_connected = False
        self._outage.began(_reason(error))

    def _connect_beside(self) -> None:
        if self._outage.is_resting or (self._connecting is not None and not self._connecting.done()):
            return
        self._connecting = asyncio.create_task(self.connect())

    async def _value(self, key: str) -> bytes | None:
        value: bytes | None = await self._redis.get(_value_name(key))
        return value

    async def _near(self, group: str, vector: npt.NDArray[np.float32], min_cosine: float) -> tuple[str, bytes] | None:
        copy = self._copy(group)
        async with copy.lock:
            for entry_id, entry in await self._redis.xrange(
                _group_name(group), min=copy.following, count=_ENTRIES_PER_FETCH
            ):
                copy.add(entry_id, entry)
        if copy.questions is None:
            return None
        keys = copy.questions.nearest(vector, min_cosine, time.time())[:_NEAREST_TRIED]
        values = await self._redis.mget([_value_name(key) for key in keys]) if keys else []
        return next(((key, value) for key, value in zip(keys, values, strict=True) if value is not None), None)

    async def _remember(self, name: str, entry: dict[Any, Any], ttl_ms: int) -> None:
        async with self._redis.pipeline(transaction=True) as both:
            both.xadd(name, entry, maxlen=MOST, approximate=False)
            both.pexpire(name, ttl_ms)
            await both.execute()

    def _copy(self, group: str) -> _LocalGroup:
        copy = self._copies.setdefault(group, _LocalGroup())
        self._copies.move_to_end(group)
        while len(self._copies) > _MAX_LOCAL_GROUPS:
            self._copies.popitem(last=False)
        return copy


def _client(url: str) -> Redis:
    try:
        # Not the pool that waits for a free connection: with Python 3.11 it can forget that it was cancelled.
        pool = ConnectionPool.from_url(
            url,
            socket_timeout=_CONNECT_S,
            socket_connect_timeout=_CONNECT_S,
            protocol=2,  # which every Redis speaks
            retry=Retry(NoBackoff(), 1),  # a connection that was lost while idle is no outage
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
    except (ValueError, TypeError):  # whose text may hold the password
        raise SetupError(
            "RAG_CACHE__URL: is no address of Redis; give one such as redis://host:6379/0", param="RAG_CACHE__URL"
        ) from None
    return Redis.from_pool(pool)


def _reason(error: Exception) -> str:
    """Without its text, which may hold what was to be kept."""
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
    return type(cause).__name__


def _value_name(key: str) -> str:
    return f"{_PREFIX}value:{key}"


def _group_name(group: str) -> str:
    return f"{_PREFIX}group:{group}"


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
