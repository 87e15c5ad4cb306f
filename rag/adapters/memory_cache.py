"""A cache in this process: so many bytes, the least recently used go first."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from cachetools import TLRUCache

from rag.retrieve.cache.question_group import MOST, QuestionGroup

_ENTRY_OVERHEAD_BYTES = 700
"""Bytes that an entry takes beside its value: keys, places in dictionaries, lists and a heap, about."""
_MAX_GROUP_SHARE = 4
"""A group of questions may take this part of the cache."""


@dataclass(frozen=True, slots=True)
class _Entry:
    value: bytes | QuestionGroup
    expires: float
    size: int


class MemoryCache:
    """A `rag.ports.Cache`, for one event loop.

    Args:
        max_bytes: Of values, vectors and what keeps them together.
        clock: Seconds, ascending.
    """

    def __init__(self, max_bytes: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: TLRUCache[tuple[str, str], _Entry] = TLRUCache(
            max_bytes, ttu=lambda _key, entry, _now: entry.expires, timer=clock, getsizeof=lambda entry: entry.size
        )

    async def connect(self) -> None:
        """It is here."""

    async def get(self, key: str) -> bytes | None:
        value = self._get("value", key)
        return value if isinstance(value, bytes) else None

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """A value that is larger than the whole cache is not kept."""
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
            most = int(self._entries.maxsize) // _MAX_GROUP_SHARE // max(vector.nbytes, 1)
            if not most:
                return
            questions = QuestionGroup(len(vector), min(most, MOST))
        expires = self._clock() + ttl_s
        questions.add(key, vector, expires)
        self._put("group", group, questions, questions.nbytes, expires)

    def facts(self) -> Mapping[str, Any]:
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
