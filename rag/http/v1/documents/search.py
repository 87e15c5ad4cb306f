"""`POST /v1/vector_stores/{id}/search`: one query or several, with all results in one list."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rag.http.fields.filters_wire import filter_to_json
from rag.http.openapi.route import Operation
from rag.http.v1.documents.body import HybridSearch, SearchStore, read_body
from rag.http.v1.documents.objects.search_result import SearchResults, result_object
from rag.http.v1.documents.parts import StoreSearch, V1Parts
from rag.http.v1.model_response import model_response
from rag.http.v1.route import V1Route
from rag.types import Hit

REWRITTEN_QUERIES = 2
"""Number of queries that the language model adds to each query when `rewrite_query` asks for it."""
SEARCH = Operation(
    id="search_vector_store",
    scopes=("ask",),
    tag="Vector stores",
    summary="Search a vector store with one query or several",
    body=SearchStore,
    response=SearchResults,
    response_description="Passages, best first.",
    errors=[400, 404, 409, 413, 504],
)


class SearchRoutes:
    def __init__(self, parts: V1Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [V1Route("POST", "/vector_stores/{store:id}/search", self.search, SEARCH)]

    async def search(self, request: Request) -> Response:
        body = await read_body(SearchStore, request)
        queries = body.queries()
        store = await asyncio.to_thread(self._parts.library().store, request.path_params["store"])
        searches = [_store_search(text, store.store_id, body) for text in queries]
        results = await asyncio.gather(*(self._parts.search(search) for search in searches))
        threshold = body.ranking_options.score_threshold if body.ranking_options else 0.0
        hits = [hit for hit in _merged(result.hits for result in results) if hit.score >= threshold]
        page = SearchResults(
            object="vector_store.search_results.page",
            search_query=[text for result in results for text in result.plan.queries],
            data=[result_object(hit) for hit in hits[: body.max_num_results]],
            has_more=False,
            next_page=None,
        )
        return model_response(page)


def _store_search(text: str, store_id: str, body: SearchStore) -> StoreSearch:
    changes: dict[str, JsonValue] = {"top_k": body.max_num_results}
    if body.rewrite_query:
        changes["queries"] = REWRITTEN_QUERIES
    if (ranking := body.ranking_options) is not None:
        if ranking.ranker == "none":
            changes["rerank"] = False
        if ranking.hybrid_search is not None:
            changes |= paths(ranking.hybrid_search)
    return StoreSearch(text, store_id, changes, filter_to_json(body.filters))


def paths(weights: HybridSearch) -> dict[str, JsonValue]:
    """The search options for OpenAI's weights."""
    if not weights.text_weight:
        return {"mode": "dense"}
    if not weights.embedding_weight:
        return {"mode": "keyword"}
    return {"mode": "hybrid", "weights": {"dense": weights.embedding_weight, "keyword": weights.text_weight}}


def _merged(results: Iterable[Sequence[Hit]]) -> list[Hit]:
    """Each chunk once, with its best score; best first."""
    best: dict[str, Hit] = {}
    for hit in (hit for hits in results for hit in hits):
        other = best.get(hit.chunk.chunk_id)
        if other is None or hit.score > other.score:
            best[hit.chunk.chunk_id] = hit
    return sorted(best.values(), key=lambda hit: -hit.score)
