from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag.errors import RagError
from rag.http.error_table import error_response
from rag.http.hits import sources_to_wire
from rag.http.wire import PrepareRequest
from rag.types import Hit, Quotation


class FakeRetriever:
    """The Retriever service, over HTTP, as the edge sees it: finds the same hits for every question.

    Args:
        hits: None: nothing relevant.
        note: What could not be done as it was asked for.
        failure: What every question is refused with.
    """

    def __init__(self, hits: Sequence[Hit] = (), note: str = "", failure: RagError | None = None) -> None:
        self.hits = hits
        self.failure = failure
        self.note = note
        self.quotation = Quotation((), {"choice": [""]})
        """What every quoted answer may quote."""
        self.prepared: list[dict[str, Any]] = []
        routes = [Route("/prepare", self._prepare, methods=["POST"]), Route("/readyz", self._ready)]
        self.app = Starlette(routes=routes)

    async def _ready(self, _: Request) -> Response:
        return JSONResponse({"status": "ready", "embedder": "the-encoder"})

    async def _prepare(self, request: Request) -> Response:
        try:
            PrepareRequest.parse(data := await request.json())
            if self.failure is not None:
                raise self.failure
        except RagError as error:
            return error_response(error)
        self.prepared.append(data)
        token_ids = list(range(1, 8))
        made = {"token_ids": token_ids, "sources": sources_to_wire(self.hits), "timings_ms": {}, "key": ""}
        quotation = None if data.get("style") != "quoted" else asdict(self.quotation)
        return JSONResponse(
            {**made, "note": self.note, "queries": [data["question"]], "quotation": quotation, "confidence": None}
        )
