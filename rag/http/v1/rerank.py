"""`POST /v1/rerank`: documents ranked by relevance to a query, in the format that vLLM and Jina share."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, SkipValidation, StringConstraints
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rag.errors import InvalidRequest, ModelNotFound
from rag.http.headers.used_tokens import report_tokens
from rag.http.openapi.route import Operation
from rag.http.v1.documents.body import Body, example, read_body
from rag.http.v1.documents.cursor import read_query
from rag.http.v1.documents.parts import V1Parts
from rag.http.v1.model_response import model_response
from rag.http.v1.route import V1Route

DEFAULT = "rerank"
"""A name for the configured reranker, whatever its model."""
MAX_DOCUMENTS = 1024
MAX_CHARS = 1_000_000


_Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_CHARS)]


class RerankDocument(Body):
    text: _Text


DocumentInput: TypeAlias = _Text | RerankDocument


class Rerank(Body):
    model_config = example(query="readiness", documents=["The service is ready.", "Gulls drink salt water."])

    query: str = Field(max_length=100_000)
    documents: list[SkipValidation[DocumentInput]] = Field(min_length=1, max_length=MAX_DOCUMENTS)
    # Each is validated by `texts`: pydantic's errors would name both alternatives.
    model: str = Field(
        DEFAULT, max_length=512, description=f"`{DEFAULT}`: the configured reranker, whatever its model."
    )
    top_n: int = Field(0, ge=0, description="Maximum number of results; 0: all documents.")
    return_documents: bool = Field(True, description="Whether results contain the documents' texts.")
    raw_scores: Literal[False] | None = Field(
        None, description="As in infinity, whose clients always send it. The results' documents are then strings."
    )

    def checked_query(self) -> str:
        if not self.query.strip():
            raise InvalidRequest("query: is empty", param="query")
        return self.query

    def texts(self) -> list[str]:
        """Raises InvalidRequest, which names the first invalid document."""
        return [_text(document, f"documents.{place}") for place, document in enumerate(self.documents)]


DocumentForm: TypeAlias = Literal["objects", "strings"]


class RerankQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    documents: DocumentForm = Field(
        "objects", description="`strings`: the results' documents are strings, as at infinity."
    )


class RankedDocument(BaseModel):
    text: str


class RerankResult(BaseModel):
    index: int = Field(ge=0, description="Position of the document in the request.")
    document: RankedDocument | str | None = Field(
        None,
        description="Left out if `return_documents` is false; a string if the request has `raw_scores` or "
        "`documents=strings`.",
    )
    relevance_score: float = Field(ge=0, le=1)


class RerankUsage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class RerankResults(BaseModel):
    id: str
    model: str
    usage: RerankUsage
    results: list[RerankResult] = Field(description="Best first.")


RERANK = Operation(
    id="rerank",
    scopes=("ask", "generate"),
    uses_tokens=True,
    tag="Language model",
    summary="Rank documents by relevance to a query",
    body=Rerank,
    query=RerankQuery,
    response=RerankResults,
    response_description="The documents, best first.",
    errors=[400, 404, 413, 504],
)


class RerankRoutes:
    def __init__(self, parts: V1Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [V1Route("POST", "/rerank", self.rerank, RERANK)]

    async def rerank(self, request: Request) -> Response:
        form = read_query(RerankQuery, request).documents
        body = await read_body(Rerank, request)
        query, texts, reranker = body.checked_query(), body.texts(), self._parts.reranker()
        if not {body.model, self._parts.aliases.model(body.model)} & {reranker.name, DEFAULT}:
            message = f"model: no reranker {body.model[:200]!r}; this service has {reranker.name!r}"
            raise ModelNotFound(message, param="model")
        scores = await reranker.rerank(query, texts)
        counts = await self._parts.embedder().count([query, *texts], "passage")
        tokens = sum(counts.tokens)
        best = sorted(range(len(texts)), key=lambda place: -scores[place])[: body.top_n or len(texts)]
        results = RerankResults(
            id=f"rerank-{uuid.uuid4().hex}",
            model=reranker.name,
            usage=RerankUsage(prompt_tokens=tokens, total_tokens=tokens),
            results=[_result(place, scores[place], texts[place], body, form) for place in best],
        )
        await report_tokens(tokens)
        return model_response(results)


def _text(document: object, name: str) -> str:
    text = document.get("text") if isinstance(document, dict) and set(document) == {"text"} else document
    if not isinstance(text, str):
        raise InvalidRequest(f'{name}: must be a string, or {{"text": ...}}', param=name)
    if not text.strip() or len(text) > MAX_CHARS:
        raise InvalidRequest(f"{name}: is empty, or has more than {MAX_CHARS} characters", param=name)
    return text


def _result(place: int, score: float, text: str, body: Rerank, form: DocumentForm) -> RerankResult:
    if not body.return_documents:
        return RerankResult(index=place, relevance_score=score)
    as_string = form == "strings" or body.raw_scores is not None
    return RerankResult(index=place, document=text if as_string else RankedDocument(text=text), relevance_score=score)
