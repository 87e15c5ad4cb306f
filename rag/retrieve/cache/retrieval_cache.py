"""What questions found before, for as long as it holds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from rag.cache_key import cache_key
from rag.ports import Cache
from rag.retrieve.cache.single_flight import SingleFlight

logger = logging.getLogger("rag.cache")

T = TypeVar("T")
CacheState = Mapping[str, Any]
UnitVector = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class CacheLookup(Generic[T]):
    value: T
    key: str
    """Names what was found and all that it depends on: of an earlier question that means the same, if it is its.
    Empty for what is not to be kept."""
    cached: bool


class RetrievalCache(Generic[T]):
    """Searches for each question once, in each state of a vector store.

    Args:
        pack: What was found, as bytes.
        unpack: The way back; raises ValueError for bytes that another release packed.
        ttl_s: Seconds for which a result is kept, if its state lasts that long.
        semantic: Cosine from which two questions count as the same; None: only equal ones do.
    """

    def __init__(
        self,
        cache: Cache,
        pack: Callable[[T], bytes],
        unpack: Callable[[bytes], T],
        *,
        ttl_s: float,
        semantic: float | None = None,
    ) -> None:
        self._cache = cache
        self._pack = pack
        self._unpack = unpack
        self._ttl_s = ttl_s
        self._semantic = semantic
        self._flights: SingleFlight[CacheLookup[T]] = SingleFlight()
        self._writing: set[asyncio.Task[None]] = set()

    async def found(
        self,
        question: str,
        state: CacheState,
        work: Callable[[], Awaitable[tuple[T, CacheState | None]]],
        vector: Callable[[], Awaitable[UnitVector]] | None = None,
    ) -> CacheLookup[T]:
        """What was found before for the question in this state, or what `work` finds now.

        Equal questions that come meanwhile wait for the same work, and get what it raises. What it raises is not kept.

        Args:
            question: Its text.
            state: JSON-like: all else that the result depends on, such as the revision, the filters, the options,
                the models, and the conversation where that gives the question its meaning.
            work: Returns what it found and the state that it really saw: it is kept under that one. With None it is
                not kept.
            vector: The question's; asked for only when questions that mean the same count, and it is not an equal one.
        """
        key = _question_key(question, state)
        return await self._flights.join(key, lambda: self._kept_or_found(key, question, state, work, vector))

    async def _kept_or_found(
        self,
        key: str,
        question: str,
        state: CacheState,
        work: Callable[[], Awaitable[tuple[T, CacheState | None]]],
        vector: Callable[[], Awaitable[UnitVector]] | None,
    ) -> CacheLookup[T]:
        if (kept := self._read(key, await self._cache.get(key))) is not None:
            return kept
        group, place = _group_key(state), None
        if self._semantic is not None and vector is not None:
            place = await vector()
            near = await self._cache.near(group, place, self._semantic)
            if near is not None and (kept := self._read(*near)) is not None:
                return kept
        value, seen = await work()
        if seen is None:
            return CacheLookup(value, "", cached=False)
        key = _question_key(question, seen)
        if _group_key(seen) != group:
            place = None  # the vector may be another encoder's
        self._write_beside(key, group, place, value)
        return CacheLookup(value, key, cached=False)

    def _read(self, key: str, data: bytes | None) -> CacheLookup[T] | None:
        if data is None:
            return None
        try:
            return CacheLookup(self._unpack(data), key, cached=True)
        except ValueError as error:
            logger.warning("a kept result was left aside: %s", error)
            return None

    def _write_beside(self, key: str, group: str, place: UnitVector | None, value: T) -> None:
        """Without the question waiting for it."""
        task = asyncio.create_task(self._write(key, group, place, value))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, key: str, group: str, place: UnitVector | None, value: T) -> None:
        try:
            await self._cache.put(key, self._pack(value), self._ttl_s)
            if place is not None:
                await self._cache.remember(group, place, key, self._ttl_s)
        except Exception:
            logger.exception("a result could not be kept")


def _question_key(question: str, state: CacheState) -> str:
    return cache_key("retrieval", {"question": question, "state": state})


def _group_key(state: CacheState) -> str:
    return cache_key("group", state)
