"""The tool `fetch`. ChatGPT's connectors and deep research require its name and the shape of its result."""

from __future__ import annotations

from pydantic import Field

from rag.http.fields.fail_fast import StrictModel
from rag.http.mcp.caller_service import CallerService
from rag.http.mcp.document_id import DocumentId
from rag.http.mcp.tools.tool import Report, Tool
from rag.types import JsonObject


class FetchArguments(StrictModel):
    id: str = Field(description="The id of a document, from `search` or `list_documents`.", max_length=300)
    start: int | None = Field(None, ge=0, description="Character offset at which to begin; unset: the start.")
    end: int | None = Field(None, ge=0, description="Character offset at which to end; unset: the end.")


async def _fetch(service: CallerService, arguments: FetchArguments, report: Report) -> JsonObject:
    document = DocumentId.parse(arguments.id)
    content = await service.get(f"{document.path}/content", start=arguments.start, end=arguments.end)
    return {
        "id": str(document),
        "title": content["filename"],
        "text": "".join(part["text"] for part in content["data"]),
        "url": document.url(service.url, content["attributes"]),
        "metadata": {**content["attributes"], **{name: content[name] for name in ("start", "end", "total_chars")}},
    }


FETCH = Tool(
    name="fetch",
    title="Read a document",
    description="Get the text of a document, or a part of it.",
    arguments=FetchArguments,
    run=_fetch,
    scopes=("ask", "ingest"),
)
