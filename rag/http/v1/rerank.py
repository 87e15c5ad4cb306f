"""`POST /v1/rerank`: documents ordered by how well they answer a query, in the shape that vLLM and Jina share."""

from __future__ import annotations

import uuid
from typing import Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag.errors import InvalidRequest, ModelNotFound
from rag.http.v1.documents.body import Body, read_body
from rag.http.v1.documents.parts import V1Parts
from rag.http.v1.embeddings import is_unicode
from rag.types import JsonObject

DEFAULT = "rerank"
"""A name for the configured reranker, whichever it is."""
MAX_DOCUMENTS = 1024
MAX_CHARS = 1_000_000


class Rerank(Body):
    query: str = Field(max_length=100_000)
    documents: list[Any] = Field(min_length=1, max_length=MAX_DOCUMENTS)
    model: str = Field(DEFAULT, max_length=512)
    top_n: int = Field(0, ge=0)
    """0: all of them."""
    return_documents: bool = True

    def checked_query(self) -> str:
        if not self.query.strip() or not is_unicode(self.query):
            raise InvalidRequest("query: is empty, or has half a surrogate pair", param="query")
        return self.query

    def texts(self) -> list[str]:
        """Raises InvalidRequest, which names the first at fault."""
        return [_text(document, f"documents.{place}") for place, document in enumerate(self.documents)]


class RerankRoutes:
    def __init__(self, parts: V1Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [Route("/rerank", self.rerank, methods=["POST"])]

    async def rerank(self, request: Request) -> Response:
        body = await read_body(Rerank, request)
        query, texts, reranker = body.checked_query(), body.texts(), self._parts.reranker()
        if body.model not in (reranker.name, DEFAULT):
            message = f"model: there is no reranker {body.model[:200]!r}; there is {reranker.name!r}"
            raise ModelNotFound(message, param="model")
        scores = await reranker.rerank(query, texts)
        counts = await self._parts.embedder().count([query, *texts], "passage")
        best = sorted(range(len(texts)), key=lambda place: -scores[place])[: body.top_n or len(texts)]
        answer = {
            "id": f"rerank-{uuid.uuid4().hex}",
            "model": reranker.name,
            "usage": {"prompt_tokens": sum(counts.tokens), "total_tokens": sum(counts.tokens)},
            "results": [_result(place, scores[place], texts[place], body) for place in best],
        }
        return JSONResponse(answer)


def _text(document: Any, name: str) -> str:
    text = document.get("text") if isinstance(document, dict) and set(document) == {"text"} else document
    if not isinstance(text, str):
        raise InvalidRequest(f'{name}: give a text, or {{"text": ...}}', param=name)
    if not text.strip() or len(text) > MAX_CHARS or not is_unicode(text):
        message = f"{name}: is empty, has more than {MAX_CHARS} characters, or half a surrogate pair"
        raise InvalidRequest(message, param=name)
    return text


def _result(place: int, score: float, text: str, body: Rerank) -> JsonObject:
    document = {"document": {"text": text}} if body.return_documents else {}
    return {"index": place, **document, "relevance_score": score}
