"""query -> vectors -> both search paths -> fused hits. Questions that wait are encoded and searched together."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rag.ports import Embedder, Vectors, VectorStore
from rag.retrieve.batching import Batcher
from rag.retrieve.fusion import dense_only, fuse, keyword_only
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

    @property
    def group(self) -> tuple[str, int, str, str]:
        """Queries of one group can be one search with many vectors."""
        return self.vector_store, self.top_k, self.mode, json.dumps(self.filters, sort_keys=True)


@dataclass(frozen=True, slots=True)
class Found:
    hits: tuple[Hit, ...]
    """Best first, `top_k` at most."""
    timings_ms: Mapping[str, float]


class Searcher:
    """Answers queries against one store.

    Args:
        candidates: Chunks fetched from each path before fusion.
        dense_weight: Weight of the dense path in fusion.
    """

    def __init__(self, embedder: Embedder, store: VectorStore, *, candidates: int, dense_weight: float) -> None:
        self._embedder = embedder
        self._store = store
        self._candidates = candidates
        self._dense_weight = dense_weight
        self._batcher: Batcher[Query, Found] = Batcher(self._run, max_items=_TOGETHER, lanes=2)

    async def search(self, query: Query) -> Found:
        """Raises what the encoder and the store raise."""
        started = time.perf_counter()
        found = await self._batcher.submit(query)
        total = (time.perf_counter() - started) * 1000
        return Found(found.hits, {**found.timings_ms, "retrieve": round(total, 2)})

    async def _run(self, queries: Sequence[Query]) -> list[Found | Exception]:
        vectors, encode_ms = await self._encode(queries)
        groups: dict[tuple[str, int, str, str], list[int]] = {}
        for position, query in enumerate(queries):
            groups.setdefault(query.group, []).append(position)
        outcomes = await asyncio.gather(
            *(self._search_group([queries[p] for p in g], [vectors.get(p) for p in g]) for g in groups.values())
        )
        results: dict[int, Found | Exception] = {}
        for positions, outcome in zip(groups.values(), outcomes, strict=True):
            results.update(zip(positions, outcome, strict=True))
        return [_with_timing(results[p], "encode", encode_ms) for p in range(len(queries))]

    async def _encode(self, queries: Sequence[Query]) -> tuple[dict[int, Any], float]:
        """Vectors by position, for the queries whose mode needs one."""
        wanted = [p for p, query in enumerate(queries) if query.mode != "keyword"]
        if not wanted:
            return {}, 0.0
        started = time.perf_counter()
        vectors = await self._embedder.encode([queries[p].text for p in wanted], "query")
        return dict(zip(wanted, vectors, strict=True)), round((time.perf_counter() - started) * 1000, 2)

    async def _search_group(self, queries: Sequence[Query], vectors: Sequence[Any]) -> list[Found | Exception]:
        first = queries[0]
        limit = max(self._candidates, first.top_k)
        started = time.perf_counter()
        try:
            dense, keyword = await asyncio.gather(
                asyncio.to_thread(self._dense, first, vectors, limit),
                asyncio.to_thread(self._keyword, first, [q.text for q in queries], limit),
            )
        except Exception as error:
            return [error] * len(queries)
        took = {"search": round((time.perf_counter() - started) * 1000, 2)}
        hits = [self._combine(first.mode, d, k)[: first.top_k] for d, k in zip(dense, keyword, strict=True)]
        return [Found(tuple(h), took) for h in hits]

    def _dense(self, first: Query, vectors: Sequence[Any], limit: int) -> list[list[Match]]:
        if first.mode == "keyword":
            return [[] for _ in vectors]
        return self._store.dense(first.vector_store, _stacked(vectors), limit, first.filters)

    def _keyword(self, first: Query, texts: Sequence[str], limit: int) -> list[list[Match]]:
        if first.mode == "dense":
            return [[] for _ in texts]
        return self._store.keyword(first.vector_store, texts, limit, first.filters)

    def _combine(self, mode: SearchMode, dense: Sequence[Match], keyword: Sequence[Match]) -> list[Hit]:
        if mode == "dense":
            return dense_only(dense)
        if mode == "keyword":
            return keyword_only(keyword)
        return fuse(dense, keyword, dense_weight=self._dense_weight)


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
