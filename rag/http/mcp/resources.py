"""Documents as MCP's resources: `rag://VECTOR_STORE/FILE`."""

from __future__ import annotations

from mcp_types import (
    ListResourcesResult,
    ListResourceTemplatesResult,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)

from rag.errors import NotFound
from rag.http.mcp.caller_service import CallerService
from rag.http.mcp.document_id import SCHEME, DocumentId

_PAGE = 100
_TEXT = "text/plain"
_MARKDOWN = "text/markdown"


async def list_resources(service: CallerService, cursor: str | None) -> ListResourcesResult:
    """A page of the documents in the default vector store, newest first."""
    after = None if cursor is None else DocumentId.parse(cursor).file_id
    try:
        page = await service.get("/v1/vector_stores/default/files", limit=_PAGE, after=after, filter="completed")
    except NotFound:  # a key for other vector stores
        if cursor is not None:
            raise
        return ListResourcesResult(resources=[])
    rows = page["data"]
    resources = [
        Resource(uri=DocumentId("default", row["id"]).uri, name=row["filename"], title=row["title"] or row["filename"])
        for row in rows
    ]
    return ListResourcesResult(resources=resources, next_cursor=rows[-1]["id"] if page["has_more"] else None)


def list_templates() -> ListResourceTemplatesResult:
    template = ResourceTemplate(
        uri_template=f"{SCHEME}{{vector_store}}/{{file_id}}",
        name="document",
        title="Document",
        description="The text of a document of any vector store.",
    )
    return ListResourceTemplatesResult(resource_templates=[template])


async def read_resource(service: CallerService, uri: str) -> ReadResourceResult:
    """Raises RagError if there is no such document."""
    content = await service.get(f"{DocumentId.parse_uri(uri).path}/content")
    text = "".join(part["text"] for part in content["data"])
    media_type = _MARKDOWN if content["is_markdown"] else _TEXT
    return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=media_type, text=text)])
