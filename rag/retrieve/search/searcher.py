"""questions -> state of the store -> vectors -> what every path finds. What waits is searched together."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag.catalog.visibility import Snapshot
from rag.encoders import StoreEncoders
from rag.errors import InvalidRequest, RagError
from rag.ports import SparseEmbedders
from rag.retrieve.lease import ReadLease
from rag.retrieve.query import Query, ResolvedQuery, resolve
from rag.retrieve.ranking.fusion import PathLists
from rag.retrieve.search.batching import Batcher
from rag.retrieve.search.paths import PathRequest, SearchPaths
from rag.retrieve.search.query_vectors import Outcome, Place, QueryVectors
from rag.retrieve.snapshot_reader import SnapshotReader
from rag.types import Match

_TOGETHER = 32
"""Queries encoded and searched in one go at most."""


@dataclass(frozen=True, slots=True)
class Matches:
    """What every path found."""

    lists: PathLists
    snapshot: Snapshot
    timings_ms: Mapping[str, float]


class Searcher:
    """Answers queries, each from one state of its vector store."""

    def __init__(
        self,
        encoders: StoreEncoders,
        sparse_embedders: SparseEmbedders | None,
        paths: SearchPaths,
        views: SnapshotReader,
        leases: ReadLease,
    ) -> None:
        self._vectors = QueryVectors(encoders, sparse_embedders)
        self._paths = paths
        self._views = views
        self._leases = leases
        self._batcher: Batcher[Query, Matches] = Batcher(self._run, max_items=_TOGETHER, lanes=2)

    async def search(self, query: Query) -> Matches:
        """Raises what encoders and store raise, EmbeddingMismatch, and InvalidRequest for a path that is not there."""
        return await self._batcher.submit(query)

    async def _run(self, queries: Sequence[Query]) -> list[Matches | Exception]:
        with self._leases.hold():  # before the revision is read: what is visible now is not removed under us
            snapshots = await asyncio.to_thread(self._snapshots, {query.vector_store for query in queries})
            outcomes = [self._seen(query, snapshots[query.vector_store]) for query in queries]
            started = time.perf_counter()
            outcomes = await self._vectors.fill(outcomes)
            encoded = time.perf_counter()
            lists = await self._searched(outcomes)
        took = {"encode": _ms(started, encoded), "search": _ms(encoded, time.perf_counter())}
        return [_matches(outcome, found, took) for outcome, found in zip(outcomes, lists, strict=True)]

    def _snapshots(self, names: Collection[str]) -> dict[str, Snapshot | RagError]:
        found: dict[str, Snapshot | RagError] = {}
        for name in names:
            try:
                found[name] = self._views.snapshot(name)
            except RagError as error:
                found[name] = error
        return found

    def _seen(self, query: Query, snapshot: Snapshot | RagError) -> Outcome:
        if isinstance(snapshot, RagError):
            return snapshot
        try:
            return resolve(query, snapshot, self._paths.own.names)
        except InvalidRequest as error:
            return error

    async def _searched(self, outcomes: Sequence[Outcome]) -> list[dict[tuple[str, str], list[Match]] | Exception]:
        """For each query what it found, by path and label."""
        searches: dict[Any, list[Place]] = {}
        for position, outcome in enumerate(outcomes):
            if isinstance(outcome, ResolvedQuery):
                for key, place in _searches(position, outcome):
                    searches.setdefault(key, []).append(place)
        lists: list[Any] = [outcome if isinstance(outcome, Exception) else {} for outcome in outcomes]
        work = [self._search(path, outcomes, places) for (path, *_), places in searches.items()]
        for (path, *_), places, found in zip(searches, searches.values(), await asyncio.gather(*work), strict=True):
            _deliver(lists, outcomes, path, places, found)
        return lists

    async def _search(
        self, path: str, outcomes: Sequence[Any], places: Sequence[Place]
    ) -> Sequence[list[Match]] | Exception:
        first: ResolvedQuery = outcomes[places[0][0]]
        limit = first.query.limit
        request = PathRequest(
            path=path,
            snapshot=first.snapshot,
            asked=[outcomes[position].asked[i] for position, i in places],
            limit=limit,
            wanted=min(limit, max(first.query.options.top_k, limit // 2)),
            filters=first.query.filters,
        )
        try:
            return await self._paths.search(request)
        except Exception as error:
            return error


def _searches(position: int, query: ResolvedQuery) -> list[tuple[Any, Place]]:
    """A key for each search that a query needs: those with the same key are one call with many texts."""
    options, filters = query.query.options, json.dumps(query.query.filters, sort_keys=True)
    return [
        ((path, query.snapshot, query.query.limit, options.top_k, filters), (position, i))
        for path in query.paths
        for i, wording in enumerate(query.query.wordings)
        if path == "dense" or not wording.dense_only
    ]


def _deliver(
    lists: list[Any],
    outcomes: Sequence[Any],
    path: str,
    places: Sequence[Place],
    found: Sequence[list[Match]] | Exception,
) -> None:
    for n, (position, i) in enumerate(places):
        if isinstance(found, Exception):
            lists[position] = found
        elif not isinstance(lists[position], Exception):
            lists[position][path, outcomes[position].query.wordings[i].label] = found[n]


def _matches(outcome: Outcome, lists: Any, took: Mapping[str, float]) -> Matches | Exception:
    if isinstance(outcome, Exception):
        return outcome
    return lists if isinstance(lists, Exception) else Matches(lists, outcome.snapshot, took)


def _ms(started: float, ended: float) -> float:
    return round((ended - started) * 1000, 2)
