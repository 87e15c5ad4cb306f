"""The search paths, side by side, of what a question may see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag.catalog.visibility import Snapshot
from rag.ports import Vectors, VectorStore
from rag.retrieve.views import Views
from rag.types import Match

_MAX_TRIES = 4


@dataclass(frozen=True, slots=True)
class PathRequest:
    """Queries that are searched together."""

    snapshot: Snapshot
    texts: Sequence[str] | None
    """For the keyword path; None: not taken."""
    vectors: Vectors | None
    """For the dense path, likewise."""
    limit: int
    """Matches for each query and path."""
    wanted: int
    """Fewer than this are searched for again when versions that nobody may see took the places."""
    filters: Mapping[str, Any] | None = None


_Path = Callable[[Sequence[str]], list[list[Match]]]


class SearchPaths:
    """A collection also holds versions that are being written, and replaced ones; they are left out here."""

    def __init__(self, store: VectorStore, views: Views) -> None:
        self._store = store
        self._views = views

    async def search(self, request: PathRequest) -> tuple[list[list[Match]], list[list[Match]]]:
        """Matches by dense and by keyword path, one list a query, best first; no lists for a path not taken."""
        dense, keyword = await asyncio.gather(
            asyncio.to_thread(self._path, request, self._dense(request)),
            asyncio.to_thread(self._path, request, self._keyword(request)),
        )
        return dense, keyword

    def _dense(self, request: PathRequest) -> _Path | None:
        vectors = request.vectors
        if vectors is None:
            return None
        name, limit, filters = request.snapshot.collection, request.limit, request.filters
        return lambda without: self._store.dense(name, vectors, limit, filters, without=without)

    def _keyword(self, request: PathRequest) -> _Path | None:
        texts = request.texts
        if texts is None:
            return None
        name, limit, filters = request.snapshot.collection, request.limit, request.filters
        return lambda without: self._store.keyword(name, texts, limit, filters, without=without)

    def _path(self, request: PathRequest, search: _Path | None) -> list[list[Match]]:
        if search is None:
            return []
        without: set[str] = set()
        for _ in range(_MAX_TRIES):
            found = search(sorted(without))
            hidden = self._views.hidden(request.snapshot, {m.chunk.version_id for matches in found for m in matches})
            seen = [[match for match in matches if match.chunk.version_id not in hidden] for matches in found]
            if all(_enough(matches, whole, request) for matches, whole in zip(seen, found, strict=True)):
                break
            without |= hidden
        return seen


def _enough(seen: Sequence[Match], found: Sequence[Match], request: PathRequest) -> bool:
    return len(seen) >= request.wanted or len(found) < request.limit or len(seen) == len(found)
