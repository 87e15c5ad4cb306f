"""question -> plan -> matches of every path -> one list -> each text once -> reranked -> the best hits."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rag.catalog.visibility import Snapshot
from rag.encoders import StoreEncoders
from rag.ports import Reranker
from rag.retrieve.cache.retrieval_cache import RetrievalCache
from rag.retrieve.options import RetrieveOptions
from rag.retrieve.planning.follow_up import LABEL, asked_before, in_conversation
from rag.retrieve.planning.plan import Plan, QueryPlanner
from rag.retrieve.query import Query, Wording
from rag.retrieve.ranking.duplicates import collapsed, presented
from rag.retrieve.ranking.fusion import fuse
from rag.retrieve.ranking.reranking import reranked
from rag.retrieve.result import RetrievalResult
from rag.retrieve.search.searcher import Searcher
from rag.retrieve.snapshot_reader import SnapshotReader
from rag.types import Hit, Message


@dataclass(frozen=True, slots=True)
class RetrievalRequest:
    text: str
    vector_store: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `RetrieveOptions` that the request sets."""
    filters: Mapping[str, Any] | None = None
    history: tuple[Message, ...] = ()
    explain: bool = False


class RetrievalPipeline:
    """Finds passages for questions.

    Args:
        defaults: Options that neither the vector store nor the request sets.
        planner: Asked when options say so.
        reranker: Likewise.
        kept: What was found before; None: every question is searched for.
    """

    def __init__(
        self,
        searcher: Searcher,
        views: SnapshotReader,
        encoders: StoreEncoders,
        defaults: RetrieveOptions,
        planner: QueryPlanner,
        reranker: Reranker,
        kept: RetrievalCache[RetrievalResult] | None = None,
    ) -> None:
        self._searcher = searcher
        self._views = views
        self._encoders = encoders
        self._defaults = defaults
        self._planner = planner
        self._reranker = reranker
        self._kept = kept

    async def find(self, question: RetrievalRequest) -> RetrievalResult:
        """Raises what searcher and reranker raise, and VectorStoreNotFound. A planner that fails is done without."""
        started = time.perf_counter()
        snapshot = await asyncio.to_thread(self._views.snapshot, question.vector_store)
        options = self._options(question, snapshot)
        if self._kept is None or question.explain:
            found = await self._look(question, options)
        else:
            found = await self._kept_or_found(self._kept, question, options, snapshot)
        return replace(found, timings_ms={**found.timings_ms, "retrieve": _ms(started)})

    def _options(self, question: RetrievalRequest, snapshot: Snapshot) -> RetrieveOptions:
        of_store = json.loads(snapshot.retrieval) if snapshot.retrieval else None
        return self._defaults.changed(of_store).changed(question.changes)

    async def _kept_or_found(
        self,
        kept: RetrievalCache[RetrievalResult],
        question: RetrievalRequest,
        options: RetrieveOptions,
        snapshot: Snapshot,
    ) -> RetrievalResult:
        started = time.perf_counter()
        vectors: list[Any] = []

        async def vector() -> Any:
            embedder = await self._encoders.of(snapshot.store_id, snapshot.embedder)
            vectors.append((await embedder.encode([question.text], "query"))[0])
            return vectors[0]

        async def work() -> tuple[RetrievalResult, Mapping[str, Any] | None]:
            found = await self._look(question, options, vectors[0] if vectors else None)
            # What had to do without a part of its plan is not the answer of tomorrow.
            return found, None if found.plan.note else self._state(question, options, found.snapshot)

        self._encoders.check(snapshot.store_id, snapshot.embedder)
        outcome = await kept.found(question.text, self._state(question, options, snapshot), work, vector)
        timings = {"cached": _ms(started)} if outcome.cached else outcome.value.timings_ms
        return replace(outcome.value, timings_ms=timings, key=outcome.key)

    def _state(self, question: RetrievalRequest, options: RetrieveOptions, snapshot: Snapshot) -> Mapping[str, Any]:
        """All that what is found depends on, but for the question."""
        return {
            "vector_store": [snapshot.store_id, snapshot.revision, snapshot.nonce, snapshot.collection],
            "models": [snapshot.embedder, snapshot.sparse_embedder],
            "filters": question.filters,
            "options": options.key(),
            "planner": self._planner.name if options.plans or options.rewrite else None,
            "reranker": self._reranker.name if options.rerank else None,
            "history": _history(question, options),
        }

    async def _look(self, question: RetrievalRequest, options: RetrieveOptions, vector: Any = None) -> RetrievalResult:
        timings: dict[str, float] = {}
        plan = await self._planned(question, options, timings)
        query = Query(question.vector_store, _wordings(plan, question.text, vector), options, question.filters)
        matches = await self._searcher.search(query)
        timings |= matches.timings_ms
        fused = fuse(matches.lists, options)
        wanted = max(options.top_k, options.rerank_top_n if options.rerank else 0)
        hits = collapsed(fused, options.duplicates, at_most=wanted, all_duplicates=question.explain)
        if options.rerank and hits:
            began = time.perf_counter()
            hits = await reranked(self._reranker, plan.in_conversation or plan.queries[0], hits, options.rerank_weight)
            timings["rerank"] = _ms(began)
        best = tuple(presented(hit) for hit in hits[: options.top_k])
        candidates = _all_candidates(hits, fused) if question.explain else ()
        return RetrievalResult(best, options, plan, matches.snapshot, timings, candidates)

    async def _planned(self, question: RetrievalRequest, options: RetrieveOptions, timings: dict[str, float]) -> Plan:
        rewrite = options.rewrite and bool(question.history)
        understood = in_conversation(question.text, question.history)
        if not rewrite and not options.plans:
            return Plan((question.text,), in_conversation=understood)
        began = time.perf_counter()
        plan = await self._planner.plan(
            question.text,
            question.history,
            rewrite=rewrite,
            queries=options.queries,
            hypothetical=options.hypothetical,
        )
        timings["plan"] = _ms(began)
        is_rewritten = rewrite and not plan.note  # perhaps to itself, as it stood alone
        return plan if is_rewritten else replace(plan, in_conversation=understood)


def _history(question: RetrievalRequest, options: RetrieveOptions) -> Any:
    """What of the conversation counts."""
    if options.rewrite:
        return [[turn.role, turn.content] for turn in question.history]
    return asked_before(question.history) or None


def _wordings(plan: Plan, question: str, vector: Any) -> tuple[Wording, ...]:
    first, *others = plan.queries
    return (
        Wording(first, vector=vector if first == question else None),
        *([] if plan.in_conversation is None else [Wording(plan.in_conversation, LABEL)]),
        *(Wording(text, f"query {n}") for n, text in enumerate(others, start=2)),
        *(Wording(text, f"hypothetical {n}", dense_only=True) for n, text in enumerate(plan.hypothetical, start=1)),
    )


def _all_candidates(ranked: Sequence[Hit], fused: Sequence[Hit]) -> tuple[Hit, ...]:
    """Those that stayed, in their last order, and behind them the others in that of fusion."""
    stayed = {hit.chunk.chunk_id for hit in ranked}
    return (*ranked, *(hit for hit in fused if hit.chunk.chunk_id not in stayed))


def _ms(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
