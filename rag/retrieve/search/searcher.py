"""Queries -> vectors -> matches of every search path. Waiting queries of a caller are encoded and searched together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rag.auth.caller import queueing_caller
from rag.catalog.documents.visibility import Snapshot
from rag.encoders import StoreEncoders
from rag.ports import SparseEmbedders
from rag.queues.fair_queue import FairQueue, QueueLimits
from rag.retrieve.options import RetrieveOptions
from rag.retrieve.query import Query, QueryInput, search_paths
from rag.retrieve.ranking.fusion import PathMatches
from rag.retrieve.search.batching import Batcher
from rag.retrieve.search.path_searcher import PathRequest, PathSearcher
from rag.retrieve.search.query_encoder import QueryEncoder
from rag.telemetry import retrieval as metrics
from rag.telemetry import tracing

_MAX_BATCH = 16
"""Queries encoded and searched together at most."""
_MAX_BATCH_SHARED = 2
"""The same while several callers ask: another caller's query waits until a batch has been encoded and searched."""
_BATCHES_AT_ONCE = 4
_BATCHES_EACH = 2
"""The number of batches per caller: while one is encoded, the other is searched."""
_QUERIES = _MAX_BATCH * _BATCHES_AT_ONCE
_LIMITS = QueueLimits(headroom=0.5, max_waiting=256)
"""Maximum number of one caller's queries that may wait to join a batch."""


@dataclass(frozen=True, slots=True)
class QueryMatches:
    """What every path returned for one query."""

    matches: PathMatches
    timings_ms: Mapping[str, float]


class Searcher:
    """Searches every path for a query, together with the caller's other queries that are waiting.

    Args:
        max_wait_s: How long a query may wait for its turn; None: as long as it takes.
    """

    def __init__(
        self,
        encoders: StoreEncoders,
        sparse_embedders: SparseEmbedders | None,
        path_searcher: PathSearcher,
        *,
        max_wait_s: float | None = None,
    ) -> None:
        self._encoder = QueryEncoder(encoders, sparse_embedders)
        self._path_searcher = path_searcher
        self._batcher: Batcher[Query, QueryMatches] = Batcher(
            self._run,
            max_items=_MAX_BATCH,
            max_items_shared=_MAX_BATCH_SHARED,
            max_batches=_BATCHES_AT_ONCE,
            max_batches_each=_BATCHES_EACH,
        )
        self._queue = FairQueue("search", _QUERIES, replace(_LIMITS, max_wait_s=max_wait_s))

    def paths(self, options: RetrieveOptions, snapshot: Snapshot) -> tuple[str, ...]:
        """Names of the paths that the options select. Raises InvalidRequest for a path that does not exist."""
        return search_paths(options, snapshot, self._path_searcher.custom.names)

    async def search(self, query: Query) -> QueryMatches:
        """Raises what encoders and store raise, EmbeddingMismatch, and Overloaded if too many queries wait.

        The caller holds the lease of the snapshot.
        """
        started = time.perf_counter()
        async with self._queue.slot(queueing_caller().queue):
            result = await self._batcher.submit(query)
        elapsed_ms = _ms(started, time.perf_counter())
        metrics.observe_stages({"queue": max(0.0, elapsed_ms - sum(result.timings_ms.values()))})
        tracing.record_search_stages(result.timings_ms["encode"], result.timings_ms["search"])
        return result

    async def _run(self, queries: Sequence[Query]) -> list[QueryMatches | Exception]:
        started = time.perf_counter()
        await self._encoder.encode(queries)
        encoded = time.perf_counter()
        await self._search([query for query in queries if query.error is None])
        timings_ms = {"encode": _ms(started, encoded), "search": _ms(encoded, time.perf_counter())}
        return [query.error or QueryMatches(query.matches, timings_ms) for query in queries]

    async def _search(self, queries: Sequence[Query]) -> None:
        """One store call for all searches that differ in the searched text alone."""
        groups: dict[PathRequest, list[tuple[Query, QueryInput]]] = {}
        for query in queries:
            for path, query_input in query.searches():
                request = PathRequest(
                    path, query.snapshot, query.limit, query.min_visible, query.filters_json, query.filters
                )
                groups.setdefault(request, []).append((query, query_input))
        await asyncio.gather(*(self._search_path(request, group) for request, group in groups.items()))

    async def _search_path(self, request: PathRequest, group: Sequence[tuple[Query, QueryInput]]) -> None:
        try:
            matches = await self._path_searcher.search(request, [query_input for _, query_input in group])
        except Exception as error:
            for query, _ in group:
                query.fail(error)
            return
        for (query, query_input), of_input in zip(group, matches, strict=True):
            query.matches[request.path, query_input.label] = of_input


def _ms(started: float, ended: float) -> float:
    return round((ended - started) * 1000, 2)
