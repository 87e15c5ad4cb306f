"""query -> state of the store -> vectors -> both search paths -> fused hits. What waits is searched together."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rag.catalog.visibility import Snapshot
from rag.encoders import StoreEncoders
from rag.errors import RagError
from rag.ports import Vectors, VectorStore
from rag.retrieve.batching import Batcher
from rag.retrieve.fusion import dense_only, fuse, keyword_only
from rag.retrieve.paths import PathRequest, SearchPaths
from rag.retrieve.readers_lease import ReadersLease
from rag.retrieve.views import Views
from rag.types import Hit, Match, SearchMode

_TOGETHER = 32
"""Queries encoded and searched in one go at most."""


@dataclass(frozen=True, slots=True)
class Query:
    text: str
    vector_store: str
    top_k: int
    mode: SearchMode
    filters: Mapping[str, Any] | None = None
    dense_weight: float | None = None
    """Of the dense path in fusion, from 0 to 1; None: as the service is set."""

    @property
    def group(self) -> tuple[int, str, str, float | None]:
        """Queries of one group and one state of a store can be one search with many vectors."""
        return self.top_k, self.mode, json.dumps(self.filters, sort_keys=True), self.dense_weight


@dataclass(frozen=True, slots=True)
class Found:
    hits: tuple[Hit, ...]
    """Best first, `top_k` at most."""
    timings_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Seen:
    """A query, and the state of its store that it sees."""

    query: Query
    snapshot: Snapshot
    vector: Any = None


class Searcher:
    """Answers queries, each from one state of its vector store.

    Args:
        candidates: Chunks fetched from each path before fusion.
        dense_weight: Weight of the dense path in fusion, unless the query has one.
    """

    def __init__(
        self,
        encoders: StoreEncoders,
        store: VectorStore,
        views: Views,
        leases: ReadersLease,
        *,
        candidates: int,
        dense_weight: float,
    ) -> None:
        self._encoders = encoders
        self._paths = SearchPaths(store, views)
        self._views = views
        self._leases = leases
        self._candidates = candidates
        self._dense_weight = dense_weight
        self._batcher: Batcher[Query, Found] = Batcher(self._run, max_items=_TOGETHER, lanes=2)

    async def search(self, query: Query) -> Found:
        """Raises what the encoder and the store raise, and EmbeddingMismatch."""
        started = time.perf_counter()
        found = await self._batcher.submit(query)
        total = (time.perf_counter() - started) * 1000
        return Found(found.hits, {**found.timings_ms, "retrieve": round(total, 2)})

    async def _run(self, queries: Sequence[Query]) -> list[Found | Exception]:
        with self._leases.hold():  # before the revision is read: what is visible now is not removed under us
            snapshots = await asyncio.to_thread(self._snapshots, {query.vector_store for query in queries})
            outcomes: list[_Seen | Exception] = [_seen(query, snapshots[query.vector_store]) for query in queries]
            started = time.perf_counter()
            outcomes = await self._encoded(outcomes)
            encode_ms = round((time.perf_counter() - started) * 1000, 2)
            results = await self._searched(outcomes)
        return [_with_timing(result, "encode", encode_ms) for result in results]

    def _snapshots(self, names: Collection[str]) -> dict[str, Snapshot | Exception]:
        found: dict[str, Snapshot | Exception] = {}
        for name in names:
            try:
                found[name] = self._views.snapshot(name)
            except RagError as error:
                found[name] = error
        return found

    async def _encoded(self, outcomes: Sequence[_Seen | Exception]) -> list[_Seen | Exception]:
        """With vectors, for the queries whose mode needs one; those of one model are encoded together."""
        by_model: dict[str, list[int]] = {}
        for position, seen in enumerate(outcomes):
            if isinstance(seen, _Seen) and seen.query.mode != "keyword":
                by_model.setdefault(seen.snapshot.embedder, []).append(position)
        result = list(outcomes)
        for model, positions in by_model.items():
            group = [seen for p in positions if isinstance(seen := outcomes[p], _Seen)]
            try:
                embedder = await self._encoders.of(group[0].snapshot.store_id, model)
                vectors = await embedder.encode([seen.query.text for seen in group], "query")
            except Exception as error:
                result = [error if p in positions else seen for p, seen in enumerate(result)]
                continue
            for position, seen, vector in zip(positions, group, vectors, strict=True):
                result[position] = replace(seen, vector=vector)
        return result

    async def _searched(self, outcomes: Sequence[_Seen | Exception]) -> list[Found | Exception]:
        groups: dict[Any, list[int]] = {}
        for position, seen in enumerate(outcomes):
            if isinstance(seen, _Seen):
                groups.setdefault((seen.snapshot, seen.query.group), []).append(position)
        results: list[Found | Exception] = [
            seen if isinstance(seen, Exception) else RuntimeError("not searched") for seen in outcomes
        ]
        found = await asyncio.gather(
            *(self._search_group([s for p in g if isinstance(s := outcomes[p], _Seen)]) for g in groups.values())
        )
        for positions, group in zip(groups.values(), found, strict=True):
            for position, result in zip(positions, group, strict=True):
                results[position] = result
        return results

    async def _search_group(self, seen: Sequence[_Seen]) -> list[Found | Exception]:
        first = seen[0].query
        limit = max(self._candidates, first.top_k)
        started = time.perf_counter()
        request = PathRequest(
            snapshot=seen[0].snapshot,
            texts=[one.query.text for one in seen] if first.mode != "dense" else None,
            vectors=_stacked([one.vector for one in seen]) if first.mode != "keyword" else None,
            limit=limit,
            wanted=min(limit, max(first.top_k, limit // 2)),
            filters=first.filters,
        )
        try:
            dense, keyword = await self._paths.search(request)
        except Exception as error:
            return [error] * len(seen)
        took = {"search": round((time.perf_counter() - started) * 1000, 2)}
        lists = zip(dense or [[]] * len(seen), keyword or [[]] * len(seen), strict=True)
        hits = [self._combine(first, d, k)[: first.top_k] for d, k in lists]
        return [Found(tuple(h), took) for h in hits]

    def _combine(self, query: Query, dense: Sequence[Match], keyword: Sequence[Match]) -> list[Hit]:
        if query.mode == "dense":
            return dense_only(dense)
        if query.mode == "keyword":
            return keyword_only(keyword)
        weight = self._dense_weight if query.dense_weight is None else query.dense_weight
        return fuse(dense, keyword, dense_weight=weight)


def _seen(query: Query, snapshot: Snapshot | Exception) -> _Seen | Exception:
    return snapshot if isinstance(snapshot, Exception) else _Seen(query, snapshot)


def _with_timing(result: Found | Exception, name: str, took_ms: float) -> Found | Exception:
    return replace(result, timings_ms={name: took_ms, **result.timings_ms}) if isinstance(result, Found) else result


def _stacked(vectors: Sequence[Any]) -> Vectors:
    import numpy as np

    return np.stack(list(vectors))


def nothing_relevant(hits: Sequence[Hit], min_cosine: float) -> bool:
    """Whether no hit is near enough to the question to answer from.

    Fused scores compare hits of one query; only the cosine says how near the best of them really is.
    """
    cosines = [hit.cosine for hit in hits if hit.cosine is not None]
    return not hits or (bool(cosines) and max(cosines) < min_cosine)
