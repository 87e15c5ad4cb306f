"""One search path, of what a question may see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rag.catalog.visibility import Snapshot
from rag.ports import VectorStore
from rag.retrieve.query import QueryInput
from rag.retrieve.search.custom_retrievers import CustomRetrievers
from rag.retrieve.snapshot_reader import SnapshotReader
from rag.types import Match

_MAX_TRIES = 4


@dataclass(frozen=True, slots=True)
class PathRequest:
    """Texts that are looked for together."""

    path: str
    snapshot: Snapshot
    asked: Sequence[QueryInput]
    limit: int
    """Matches for each text."""
    wanted: int
    """Fewer than this are searched for again when versions that nobody may see took the places."""
    filters: Mapping[str, Any] | None = None


class SearchPaths:
    """A collection also holds versions that are being written, and replaced ones; they are left out here."""

    def __init__(self, store: VectorStore, views: SnapshotReader, own: CustomRetrievers) -> None:
        self._store = store
        self._views = views
        self.own = own

    async def search(self, request: PathRequest) -> list[list[Match]]:
        """Matches, one list a text, best first."""
        return await asyncio.to_thread(self._visible, request, self._search(request))

    def _search(self, request: PathRequest) -> _Search:
        name, limit, filters, asked = request.snapshot.collection, request.limit, request.filters, request.asked
        match request.path:
            case "dense":
                vectors = np.stack([one.vector for one in asked if one.vector is not None])
                return lambda without: self._store.dense(name, vectors, limit, filters, without=without)
            case "keyword":
                texts = [one.text for one in asked]
                return lambda without: self._store.keyword(name, texts, limit, filters, without=without)
            case "sparse":
                terms = [one.sparse or {} for one in asked]
                return lambda without: self._store.sparse(name, terms, limit, filters, without=without)
            case own:
                pairs = [(one.text, one.vector) for one in asked]
                return lambda without: self.own.search(own, name, pairs, limit, filters, without=without)

    def _visible(self, request: PathRequest, search: _Search) -> list[list[Match]]:
        without: set[str] = set()
        for _ in range(_MAX_TRIES):
            found = search(sorted(without))
            hidden = self._views.hidden(request.snapshot, {m.chunk.version_id for matches in found for m in matches})
            seen = [[match for match in matches if match.chunk.version_id not in hidden] for matches in found]
            if all(_enough(matches, whole, request) for matches, whole in zip(seen, found, strict=True)):
                break
            without |= hidden
        return seen


_Search = Callable[[Sequence[str]], list[list[Match]]]


def _enough(seen: Sequence[Match], found: Sequence[Match], request: PathRequest) -> bool:
    return len(seen) >= request.wanted or len(found) < request.limit or len(seen) == len(found)
