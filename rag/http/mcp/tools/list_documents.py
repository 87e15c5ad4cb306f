"""The tool `list_documents`."""

from __future__ import annotations

from pydantic import Field

from rag.http.fields.fail_fast import StrictModel
from rag.http.mcp.caller_service import CallerService
from rag.http.mcp.document_id import DocumentId
from rag.http.mcp.tools.tool import Report, StoreName, Tool
from rag.types import JsonObject


class ListArguments(StrictModel):
    vector_store: StoreName = "default"
    name: str | None = Field(None, min_length=1, max_length=200, description="Only documents whose name contains this.")
    limit: int = Field(20, ge=1, le=100, description="Maximum number of documents.")
    after: str | None = Field(None, max_length=300, description="The id of a document; the list starts after it.")


async def _list(service: CallerService, arguments: ListArguments, report: Report) -> JsonObject:
    after = None if arguments.after is None else DocumentId.parse(arguments.after).file_id
    path = DocumentId(arguments.vector_store, "").path.removesuffix("/")
    page = await service.get(path, name=arguments.name, limit=arguments.limit, after=after)
    documents = [_document(service, arguments.vector_store, row) for row in page["data"]]
    return {"documents": documents, "has_more": page["has_more"]}


def _document(service: CallerService, store: str, row: JsonObject) -> JsonObject:
    document = DocumentId(store, row["id"])
    facts = {name: row[name] for name in ("status", "bytes", "pages", "chunks", "created_at", "attributes")}
    url = document.url(service.url, row["attributes"] or {})
    return {"id": str(document), "title": row["filename"], "url": url, **facts}


LIST_DOCUMENTS = Tool(
    name="list_documents",
    title="List documents",
    description="List the documents of a vector store, newest first.",
    arguments=ListArguments,
    run=_list,
    scopes=("ask", "ingest"),
)
