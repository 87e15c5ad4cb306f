"""The tool `search`. ChatGPT's connectors and deep research require its name and the shape of its results."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from rag.http.fields.fail_fast import StrictModel
from rag.http.mcp.caller_service import CallerService
from rag.http.mcp.document_id import DocumentId
from rag.http.mcp.tools.tool import Report, StoreName, Tool
from rag.types import JsonObject


class SearchArguments(StrictModel):
    query: str = Field(description="What to look for, in plain words.", max_length=100_000)
    vector_store: StoreName = "default"
    top_k: int | None = Field(None, ge=1, le=100, description="Maximum number of passages.")


async def _search(service: CallerService, arguments: SearchArguments, report: Report) -> JsonObject:
    found = await service.post("/retrieve", arguments.model_dump())
    results: dict[str, JsonObject] = {}
    for hit in found["hits"]:
        document = DocumentId(arguments.vector_store, hit["file_id"])
        result = results.setdefault(
            str(document),
            {
                "id": str(document),
                "title": hit["filename"],
                "url": document.url(service.url, hit["attributes"]),
                "passages": [],
            },
        )
        result["passages"].append(_passage(hit))
    return {"results": list(results.values())}


def _passage(hit: JsonObject) -> dict[str, Any]:
    return {name: hit[name] for name in ("text", "heading", "page", "score")}


SEARCH = Tool(
    name="search",
    title="Search documents",
    description="Find documents that are relevant to a query, best first, each with its passages that match. "
    "`fetch` returns the whole text of a result.",
    arguments=SearchArguments,
    run=_search,
    scopes=("ask",),
)
