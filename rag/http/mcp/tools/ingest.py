"""The tool `ingest`."""

from __future__ import annotations

import base64
import binascii
import json

from pydantic import Field

from rag import errors
from rag.errors import InvalidRequest
from rag.http.fields.fail_fast import StrictModel
from rag.http.mcp.caller_service import CallerService
from rag.http.mcp.document_id import DocumentId
from rag.http.mcp.tools.tool import Report, StoreName, Tool
from rag.types import JsonObject


class IngestArguments(StrictModel):
    filename: str = Field(
        description="The document's name, such as `notes/today.md`. A document of the same name is replaced.",
        min_length=1,
        max_length=1000,
    )
    text: str | None = Field(None, description="The document, as text. Give this or `content_base64`.")
    content_base64: str | None = Field(None, description="The document's bytes in Base64, such as those of a PDF.")
    vector_store: StoreName = "default"
    attributes: dict[str, str | int | float | bool] | None = Field(
        None, description="Stored with the document; searches can be restricted by them."
    )
    wait_s: float = Field(30, ge=0, le=600, description="Seconds to wait until the document can be searched.")

    def content(self) -> bytes:
        """Raises InvalidRequest unless there is one valid content."""
        if (self.text is None) == (self.content_base64 is None):
            raise InvalidRequest("text: give either text or content_base64", param="text")
        if self.text is not None:
            return self.text.encode()
        try:
            return base64.b64decode(self.content_base64 or "", validate=True)
        except (binascii.Error, ValueError):
            raise InvalidRequest("content_base64: is not valid Base64", param="content_base64") from None


async def _ingest(service: CallerService, arguments: IngestArguments, report: Report) -> JsonObject:
    fields = {"vector_store": arguments.vector_store, "wait_s": str(arguments.wait_s)}
    if arguments.attributes is not None:
        fields["attributes"] = json.dumps(arguments.attributes)
    job = await service.upload(arguments.filename, arguments.content(), fields)
    (file,) = job["files"]
    if (error := file["error"]) is not None:
        raise errors.error_class(error["code"])(error["message"])
    document = DocumentId(arguments.vector_store, file["file_id"])
    facts = {name: file[name] for name in ("status", "change", "chunks", "warnings")}
    return {"id": str(document), "title": file["filename"], "job": job["batch_id"], **facts}


INGEST = Tool(
    name="ingest",
    title="Add a document",
    description="Add a document, or replace the one of the same name. With `status` `in_progress` in the result, the "
    "document was accepted and will be searchable later.",
    arguments=IngestArguments,
    run=_ingest,
    scopes=("ingest",),
    changes=True,
)
