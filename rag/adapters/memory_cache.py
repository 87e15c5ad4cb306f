"""An LRU cache in memory, limited by its size in bytes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from cachetools import TLRUCache

from rag.retrieve.cache.question_group import MAX_GROUP_QUESTIONS, QuestionGroup

_ENTRY_OVERHEAD_BYTES = 700
"""Approximate size of an entry besides its value: keys, dictionaries, lists and a heap."""
_GROUP_SIZE_DIVISOR = 4
"""Divisor of the cache's size that gives the largest size of a group of questions."""


@dataclass(frozen=True, slots=True)
class _Entry:
    value: bytes | QuestionGroup
    expires: float
    size: int


class MemoryCache:
    """A cache in memory. Implements `rag.ports.Cache`, for one event loop.

    Args:
        max_bytes: Size of values and vectors with their overhead.
        clock: A monotonic clock in seconds.
    """

    def __init__(self, max_bytes: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: TLRUCache[tuple[str, str], _Entry] = TLRUCache(
            max_bytes, ttu=lambda _key, entry, _now: entry.expires, timer=clock, getsizeof=lambda entry: entry.size
        )

    async def connect(self) -> None:
        """Nothing to connect to."""

    async def get(self, key: str) -> bytes | None:
        value = self._get("value", key)
        return value if isinstance(value, bytes) else None

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Store a value, unless it is larger than the whole cache."""
        self._put("value", key, value, len(value), self._clock() + ttl_s)

    async def near(self, group: str, vector: npt.NDArray[np.float32], min_cosine: float) -> tuple[str, bytes] | None:
        questions = self._get("group", group)
        if isinstance(questions, QuestionGroup):
            for key in questions.nearest(vector, min_cosine, self._clock()):
                if (value := await self.get(key)) is not None:
                    return key, value
        return None

    async def remember(self, group: str, vector: npt.NDArray[np.float32], key: str, ttl_s: float) -> None:
        questions = self._get("group", group)
        if not isinstance(questions, QuestionGroup):
            max_questions = int(self._entries.maxsize) // _GROUP_SIZE_DIVISOR // max(vector.nbytes, 1)
            if not max_questions:
                return
            questions = QuestionGroup(len(vector), min(max_questions, MAX_GROUP_QUESTIONS))
        expires = self._clock() + ttl_s
        questions.add(key, vector, expires)
        self._put("group", group, questions, questions.nbytes, expires)

    def facts(self) -> Mapping[str, object]:
        return {"kind": "memory", "entries": len(self._entries), "bytes": int(self._entries.currsize)}

    async def close(self) -> None:
        self._entries.clear()

    def _get(self, kind: str, key: str) -> bytes | QuestionGroup | None:
        entry = self._entries.get((kind, key))
        return None if entry is None else entry.value

    def _put(self, kind: str, key: str, value: bytes | QuestionGroup, size: int, expires: float) -> None:
        entry = _Entry(value, expires, size + _ENTRY_OVERHEAD_BYTES)
        if entry.size > self._entries.maxsize:
            self._entries.pop((kind, key), None)
        else:
            self._entries[kind, key] = entry
