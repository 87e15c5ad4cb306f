"""`POST /v1/vector_stores/{id}/search`: one query or several, their hits in one list."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag.http.v1.documents.body import HybridSearch, SearchStore, read_body
from rag.http.v1.documents.parts import StoreSearch, V1Parts
from rag.types import Hit, JsonObject

REWRITTEN_QUERIES = 2
"""Queries that the language model makes of one when `rewrite_query` asks for it; they are searched beside it."""


class SearchRoutes:
    def __init__(self, parts: V1Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [Route("/vector_stores/{store:id}/search", self.search, methods=["POST"])]

    async def search(self, request: Request) -> Response:
        body = await read_body(SearchStore, request)
        queries = body.queries()
        store = await asyncio.to_thread(self._parts.library().store, request.path_params["store"])
        lookups = [_lookup(text, store.store_id, body) for text in queries]
        found = await asyncio.gather(*(self._parts.search(lookup) for lookup in lookups))
        threshold = body.ranking_options.score_threshold if body.ranking_options else 0.0
        hits = [hit for hit in _merged(one.hits for one in found) if hit.score >= threshold][: body.max_num_results]
        page = {
            "object": "vector_store.search_results.page",
            "search_query": [text for one in found for text in one.plan.queries],
            "data": [_result(hit) for hit in hits],
            "has_more": False,
            "next_page": None,
        }
        return JSONResponse(page)


def _lookup(text: str, store_id: str, body: SearchStore) -> StoreSearch:
    changes: dict[str, Any] = {"top_k": body.max_num_results}
    if body.rewrite_query:
        changes["queries"] = REWRITTEN_QUERIES
    if (ranking := body.ranking_options) is not None:
        if ranking.ranker == "none":
            changes["rerank"] = False
        if ranking.hybrid_search is not None:
            changes |= paths(ranking.hybrid_search)
    return StoreSearch(text, store_id, changes, body.filters)


def paths(weights: HybridSearch) -> dict[str, Any]:
    """OpenAI's weights as options of a search."""
    if not weights.text_weight:
        return {"mode": "dense"}
    if not weights.embedding_weight:
        return {"mode": "keyword"}
    return {"mode": "hybrid", "weights": {"dense": weights.embedding_weight, "keyword": weights.text_weight}}


def _merged(found: Iterable[Sequence[Hit]]) -> list[Hit]:
    """Each chunk once, with the best of its scores."""
    best: dict[str, Hit] = {}
    for hit in (hit for hits in found for hit in hits):
        known = best.get(hit.chunk.chunk_id)
        if known is None or hit.score > known.score:
            best[hit.chunk.chunk_id] = hit
    return sorted(best.values(), key=lambda hit: -hit.score)


def _result(hit: Hit) -> JsonObject:
    chunk = hit.chunk
    return {
        "file_id": chunk.file_id,
        "filename": chunk.filename,
        "score": round(hit.score, 6),
        "attributes": dict(chunk.attributes),
        "content": [{"type": "text", "text": chunk.text}],
        "chunk_id": chunk.chunk_id,
        "page": chunk.page,
        "heading": chunk.heading,
        "start": chunk.start,
        "end": chunk.end,
    }
