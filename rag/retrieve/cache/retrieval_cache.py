"""The retrieval cache: results of earlier questions, reused until anything that they depend on changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from rag.cache_key import cache_key
from rag.ports import Cache
from rag.retrieve.cache.question_group import UnitVector
from rag.retrieve.cache.single_flight import SingleFlight

logger = logging.getLogger("rag.cache")

T = TypeVar("T")
CacheState = Mapping[str, object]
"""JSON-like: everything that a result depends on except the question, such as the revision, filters, options, models,
and the conversation if it changes the meaning of the question."""
Compute = Callable[[UnitVector | None], Awaitable[T]]
"""Retrieves without the cache. Gets the vector of the question if the cache has computed it."""
Encode = Callable[[], Awaitable[UnitVector]]
"""Returns the vector of the question."""


@dataclass(frozen=True, slots=True)
class CacheEntry(Generic[T]):
    value: T
    key: str
    """The key that the value is stored under: the one of an earlier question if that means the same. Empty for a
    value that is not cacheable."""
    is_hit: bool


class RetrievalCache(Generic[T]):
    """A cache of results by question and state of the vector store.

    Args:
        pack: Serializes a result.
        unpack: Reverses `pack`; raises ValueError for bytes that another release packed.
        is_cacheable: Whether a result may answer later questions.
        ttl_s: Seconds until a result expires.
        semantic: Cosine from which two questions share a result; None: only equal questions do.
    """

    def __init__(
        self,
        cache: Cache,
        pack: Callable[[T], bytes],
        unpack: Callable[[bytes], T],
        is_cacheable: Callable[[T], bool] = lambda _: True,
        *,
        ttl_s: float,
        semantic: float | None = None,
    ) -> None:
        self._cache = cache
        self._pack = pack
        self._unpack = unpack
        self._is_cacheable = is_cacheable
        self._ttl_s = ttl_s
        self._semantic = semantic
        self._flights: SingleFlight[CacheEntry[T]] = SingleFlight()
        self._writes: set[asyncio.Task[None]] = set()

    async def get_or_compute(
        self, question: str, state: CacheState, compute: Compute[T], encode: Encode | None = None
    ) -> CacheEntry[T]:
        """The cached result for this question and state, or the one that `compute` returns.

        Equal questions that arrive at the same time share one call of `compute`, and its error. Errors are not cached.

        Args:
            encode: Called only if the semantic cache is on and holds no equal question.
        """
        key = cache_key("retrieval", {"question": question, "state": state})
        return await self._flights.join(key, lambda: self._get_or_compute(key, state, compute, encode))

    async def _get_or_compute(
        self, key: str, state: CacheState, compute: Compute[T], encode: Encode | None
    ) -> CacheEntry[T]:
        if (entry := self._entry(key, await self._cache.get(key))) is not None:
            return entry
        group, vector = cache_key("group", state), None
        if self._semantic is not None and encode is not None:
            vector = await encode()
            nearest = await self._cache.near(group, vector, self._semantic)
            if nearest is not None and (entry := self._entry(*nearest)) is not None:
                return entry
        value = await compute(vector)
        if not self._is_cacheable(value):
            return CacheEntry(value, "", is_hit=False)
        self._write_in_background(key, group, vector, value)
        return CacheEntry(value, key, is_hit=False)

    def _entry(self, key: str, data: bytes | None) -> CacheEntry[T] | None:
        if data is None:
            return None
        try:
            return CacheEntry(self._unpack(data), key, is_hit=True)
        except ValueError as error:
            logger.warning("ignoring a cached retrieval: %s", error)
            return None

    def _write_in_background(self, key: str, group: str, vector: UnitVector | None, value: T) -> None:
        task = asyncio.create_task(self._write(key, group, vector, value))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def _write(self, key: str, group: str, vector: UnitVector | None, value: T) -> None:
        try:
            await self._cache.put(key, self._pack(value), self._ttl_s)
            if vector is not None:
                await self._cache.remember(group, vector, key, self._ttl_s)
        except Exception:
            logger.exception("could not write a retrieval to the cache")
