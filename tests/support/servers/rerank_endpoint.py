"""Rerank endpoints like those of other servers, with a fake reranker."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tests.fakes import FakeReranker


class RerankEndpoint:
    """Answers in the shape of vLLM, Jina and Cohere, best first.

    Args:
        takes_texts: Behave like text-embeddings-inference, whose fields have other names.
    """

    def __init__(self, *, takes_texts: bool = False) -> None:
        self.reranker = FakeReranker()
        self.requests: list[tuple[Mapping[str, str], Mapping[str, Any]]] = []
        self.answer: Response | None = None
        """The response to every request, if set."""
        self.hangs = False
        self._takes_texts = takes_texts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.json()
        self.requests.append((dict(request.headers), body))
        if self.hangs:
            await asyncio.sleep(30)
        await (self.answer or await self._ranked(body))(scope, receive, send)

    async def _ranked(self, body: Mapping[str, Any]) -> Response:
        field, score_name = ("texts", "score") if self._takes_texts else ("documents", "relevance_score")
        if field not in body:
            return JSONResponse({"error": f"missing field `{field}`"}, status_code=422)
        scores = await self.reranker.rerank(body["query"], body[field])
        results = [{"index": index, score_name: score} for index, score in enumerate(scores)]
        results.sort(key=lambda result: -float(result[score_name]))
        return JSONResponse(results if self._takes_texts else {"id": "rerank-1", "results": results[: body["top_n"]]})
