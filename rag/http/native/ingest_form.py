"""The multipart body of `POST /ingest`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pydantic import Field, PrivateAttr
from starlette.requests import Request

from rag.errors import InvalidRequest
from rag.http.fields import chunking_wire
from rag.http.fields.attributes_wire import DocumentAttributes
from rag.http.fields.chunking_wire import ChunkingStrategyParam
from rag.http.fields.groups_wire import KEEP_READ_GROUPS, Groups
from rag.http.headers.idempotency import idempotency_key
from rag.http.uploads.form import UploadRules, receive_form
from rag.http.v1.documents.body import Text
from rag.http.validation.wire_model import WireModel
from rag.readers.sniff import check_type
from rag.records import Strategy, UploadedFile
from rag.types import Attributes

_TEXT_FIELDS = ("vector_store", "attributes", "wait_s", "chunking_strategy", "read_groups")


class IngestRequest(WireModel):
    """Documents to add or replace. A file name and its vector store identify a document."""

    files: list[Path] = Field(
        description="PDF, Word, PowerPoint, Excel, EPUB, Markdown, HTML, CSV, JSON, mail or plain text."
    )
    vector_store: Text = Field(
        "default", description="The vector store to add the documents to.", min_length=1, max_length=64
    )
    attributes: DocumentAttributes = Field(
        default_factory=dict,
        description="JSON object of strings, numbers and booleans, stored with every document.",
        json_schema_extra={"example": {"topic": "guide"}},
    )
    wait_s: float = Field(0, ge=0, le=3600, description="Seconds to wait for the job to end before responding.")
    chunking_strategy: ChunkingStrategyParam | None = Field(
        None, description="JSON object. How the documents are split into chunks; unset: the vector store's strategy."
    )
    read_groups: Groups | None = Field(None, description=f"JSON list. {KEEP_READ_GROUPS}")
    _http: Request | None = PrivateAttr(default=None)

    @property
    def http(self) -> Request:
        """The request, whose body is unread. It is written to disk, or forwarded to the Retriever, as it arrives."""
        assert self._http is not None, "only from_http_request creates it"
        return self._http

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> Self:
        model = cls.model_construct()
        model._http = request
        return model


@dataclass(frozen=True, slots=True)
class IngestOrder:
    """A validated `POST /ingest`, with its files on disk."""

    uploads: Sequence[UploadedFile]
    vector_store: str = "default"
    attributes: Attributes = field(default_factory=dict)
    wait_s: float = 0
    chunking: Strategy | None = None
    read_groups: Sequence[str] | None = None
    idempotency_key: str | None = None


@contextlib.asynccontextmanager
async def received_ingest(request: Request, folder: Path, max_file_bytes: int) -> AsyncIterator[IngestOrder]:
    """The validated form. Uploads still on disk at the end are removed. Raises as `receive_form`."""
    key = idempotency_key(request)
    rules = UploadRules("files", _TEXT_FIELDS, max_file_bytes, check_type=check_type, unique_names=True)
    async with receive_form(request, folder, rules) as form:
        checked = IngestRequest.parse({"files": [], **_plain_fields(form.fields)})
        yield IngestOrder(
            form.uploads,
            checked.vector_store,
            checked.attributes,
            checked.wait_s,
            chunking_wire.from_wire(checked.chunking_strategy),
            checked.read_groups,
            key,
        )


def _plain_fields(form: Mapping[str, str]) -> dict[str, Any]:
    """Each field is JSON; `vector_store` may also be plain text. Empty fields get their defaults."""
    fields: dict[str, Any] = {}
    for name, value in form.items():
        if not value:
            continue
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError):
            if name != "vector_store":
                raise InvalidRequest(f"{name}: is not valid JSON", param=name) from None
            parsed = value
        fields[name] = value if name == "vector_store" and not isinstance(parsed, str) else parsed
    return fields
