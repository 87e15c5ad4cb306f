"""How a question becomes hits: options -> cache -> plan -> search -> fuse -> deduplicate -> rerank."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import dataclass, field, replace
from functools import partial

from rag.auth.caller import current_tenant
from rag.catalog.documents.visibility import Snapshot
from rag.encoders import StoreEncoders
from rag.errors import Overloaded, Unavailable
from rag.ports import Reranker
from rag.retrieve.cache.retrieval_cache import CacheState, RetrievalCache
from rag.retrieve.lease import ReadLease
from rag.retrieve.options import OptionOverrides, RetrieveOptions
from rag.retrieve.planning.follow_up import in_conversation, last_user_turns
from rag.retrieve.planning.plan import Plan, QueryPlanner
from rag.retrieve.query import Filters, Query, QueryVector, query_inputs
from rag.retrieve.ranking.duplicates import deduplicate, with_context
from rag.retrieve.ranking.exact_matches import mark_exact_matches
from rag.retrieve.ranking.fusion import fuse
from rag.retrieve.ranking.reranking import rerank
from rag.retrieve.result import RetrievalResult, explained_candidates
from rag.retrieve.search.searcher import Searcher
from rag.retrieve.snapshot_reader import SnapshotReader
from rag.telemetry import retrieval as metrics
from rag.telemetry import tracing
from rag.telemetry.stopwatch import ms_since
from rag.types import Hit, Message

NOT_RERANKED = "the hits are not reranked: the reranker failed or did not answer in time"
_log = logging.getLogger("rag.retrieve")


@dataclass(frozen=True, slots=True)
class RetrievalRequest:
    text: str
    vector_store: str
    overrides: OptionOverrides = field(default_factory=dict)
    """Options that the request sets."""
    filters: Filters | None = None
    history: tuple[Message, ...] = ()
    explain: bool = False
    """Return all candidates. The cache is neither read nor written."""


class RetrievalPipeline:
    """Finds passages for questions.

    Args:
        defaults: Options that neither the vector store nor the request sets.
        planner: Used when the options ask for a plan.
        reranker: Used when the options ask for reranking.
        cache: None disables caching.
    """

    def __init__(
        self,
        searcher: Searcher,
        snapshots: SnapshotReader,
        leases: ReadLease,
        encoders: StoreEncoders,
        defaults: RetrieveOptions,
        planner: QueryPlanner,
        reranker: Reranker,
        cache: RetrievalCache[RetrievalResult] | None = None,
    ) -> None:
        self._searcher = searcher
        self._snapshots = snapshots
        self._leases = leases
        self._encoders = encoders
        self._defaults = defaults
        self._planner = planner
        self._reranker = reranker
        self._cache = cache

    async def retrieve(self, request: RetrievalRequest) -> RetrievalResult:
        """The best hits for a question, all from one snapshot of the vector store.

        If planning fails, the question is searched as asked; if reranking fails or times out, the hits keep the order
        of fusion. `Plan.note` says so. Raises VectorStoreNotFound, and what the searcher raises.
        """
        with tracing.retrieval(request.vector_store, request.text) as span:
            result = await self._retrieve_measured(request)
            span.set({tracing.TOP_K: result.options.top_k, tracing.HITS: len(result.hits)})
        return result

    async def _retrieve_measured(self, request: RetrievalRequest) -> RetrievalResult:
        started = time.perf_counter()
        with self._leases.hold():  # before the snapshot is read: until the release, no row it shows is deleted
            snapshot = await asyncio.to_thread(self._snapshots.snapshot, request.vector_store)
            options = self._options(request, snapshot)
            if self._cache is None or request.explain:
                result = await self._retrieve(request, snapshot, options)
            else:
                result = await self._retrieve_cached(self._cache, request, snapshot, options)
        timings_ms = {**result.timings_ms, "retrieve": ms_since(started)}
        metrics.observe_stages(timings_ms)
        return replace(result, timings_ms=timings_ms)

    def _options(self, request: RetrievalRequest, snapshot: Snapshot) -> RetrieveOptions:
        store_overrides = json.loads(snapshot.retrieval) if snapshot.retrieval else {}
        return self._defaults.with_overrides(store_overrides).with_overrides(request.overrides)

    async def _retrieve_cached(
        self,
        cache: RetrievalCache[RetrievalResult],
        request: RetrievalRequest,
        snapshot: Snapshot,
        options: RetrieveOptions,
    ) -> RetrievalResult:
        started = time.perf_counter()
        self._encoders.check(snapshot.store_id, snapshot.embedder)
        entry = await cache.get_or_compute(
            request.text,
            self._cache_state(request, snapshot, options),
            compute=partial(self._retrieve, request, snapshot, options),
            encode=partial(self._encode, request.text, snapshot),
        )
        metrics.CACHE_REQUESTS.labels("hit" if entry.is_hit else "miss").inc()
        timings_ms = {"cached": ms_since(started)} if entry.is_hit else entry.value.timings_ms
        return replace(entry.value, timings_ms=timings_ms, key=entry.key)

    async def _retrieve(
        self,
        request: RetrievalRequest,
        snapshot: Snapshot,
        options: RetrieveOptions,
        question_vector: QueryVector | None = None,
    ) -> RetrievalResult:
        timings_ms: dict[str, float] = {}
        paths = self._searcher.paths(options, snapshot)
        plan = await self._plan(request, options, timings_ms)
        inputs = query_inputs(plan, request.text, question_vector)
        search_result = await self._searcher.search(Query(snapshot, inputs, paths, options, request.filters))
        timings_ms |= search_result.timings_ms
        fused = fuse(search_result.matches, options)
        wanted = max(options.top_k, options.rerank_top_n if options.rerank else 0)
        hits = deduplicate(fused, options.duplicates, max_hits=wanted, all_duplicates=request.explain)
        if options.rerank:
            hits, note = await self._rerank(plan, hits, options, timings_ms)
            plan = plan.with_note(note)
        hits[: options.top_k] = mark_exact_matches(hits[: options.top_k], plan.queries[0], fused)
        best = tuple(with_context(hit) for hit in hits[: options.top_k])
        candidates = explained_candidates(hits, fused) if request.explain else ()
        return RetrievalResult(best, options, plan, snapshot, timings_ms, candidates)

    async def _plan(self, request: RetrievalRequest, options: RetrieveOptions, timings_ms: dict[str, float]) -> Plan:
        rewrite = options.rewrite and bool(request.history)
        with_history = in_conversation(request.text, request.history)
        if not rewrite and not options.needs_plan:
            return Plan((request.text,), in_conversation=with_history)
        started = time.perf_counter()
        plan = await self._planner.plan(
            request.text,
            request.history,
            rewrite=rewrite,
            queries=options.queries,
            hypothetical=options.hypothetical,
        )
        timings_ms["plan"] = ms_since(started)
        # A self-contained question is "rewritten" to itself, so only the note tells whether rewriting failed.
        is_rewritten = rewrite and not plan.note
        return plan if is_rewritten else replace(plan, in_conversation=with_history)

    async def _rerank(
        self, plan: Plan, hits: list[Hit], options: RetrieveOptions, timings_ms: dict[str, float]
    ) -> tuple[list[Hit], str]:
        """The hits in their final order, and a note if reranking failed and they keep the order of fusion."""
        if not hits:
            return hits, ""
        started, query = time.perf_counter(), plan.in_conversation or plan.queries[0]
        try:
            with tracing.rerank(self._reranker.name):
                return await rerank(self._reranker, query, hits, options.rerank_weight), ""
        except (Unavailable, Overloaded) as error:
            _log.warning("the hits were not reranked: %s", error.message)
            return hits, NOT_RERANKED
        finally:
            timings_ms["rerank"] = ms_since(started)

    async def _encode(self, text: str, snapshot: Snapshot) -> QueryVector:
        embedder = await self._encoders.for_store(snapshot.store_id, snapshot.embedder)
        vector: QueryVector = (await embedder.encode([text], "query"))[0]
        return vector

    def _cache_state(self, request: RetrievalRequest, snapshot: Snapshot, options: RetrieveOptions) -> CacheState:
        """Everything that the hits depend on except the question."""
        return {
            "tenant": current_tenant(),
            "vector_store": [snapshot.store_id, snapshot.revision, snapshot.nonce, snapshot.collection],
            "models": [snapshot.embedder, snapshot.sparse_embedder],
            "filters": request.filters,
            "groups": snapshot.groups,
            "options": options.key(),
            "planner": self._planner.name if options.needs_plan or options.rewrite else None,
            "reranker": self._reranker.name if options.rerank else None,
            "history": _relevant_history(request, options),
        }


def _relevant_history(request: RetrievalRequest, options: RetrieveOptions) -> list[list[str]] | str | None:
    """The part of the conversation that affects the search, for cache keys."""
    if options.rewrite:
        return [[turn.role, turn.content] for turn in request.history]
    return last_user_turns(request.history) or None
