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
from rag.http import chunking_wire
from rag.http.attributes_wire import checked_attributes
from rag.http.idempotency import idempotency_key
from rag.http.uploads.form import UploadRules, receive_form
from rag.http.v1.documents.body import Text
from rag.http.wire import WireModel
from rag.readers.sniff import check_type
from rag.records import Strategy, UploadedFile
from rag.types import Attributes

_TEXT_FIELDS = ("vector_store", "attributes", "wait_s", "chunking_strategy")


class IngestRequest(WireModel):
    """Documents to be added, or replaced: a file name and its vector store identify a document."""

    files: list[Path] = Field(
        description="PDF, Word, PowerPoint, Excel, EPUB, Markdown, HTML, CSV, JSON, mail or plain text."
    )
    vector_store: Text = Field(
        "default", description="The vector store that the documents go into.", min_length=1, max_length=64
    )
    attributes: dict[str, Any] = Field(
        default_factory=dict,
        description="JSON object of text, numbers and booleans kept with every document.",
        json_schema_extra={"example": {"topic": "guide"}},
    )
    wait_s: float = Field(0, ge=0, le=3600, description="Seconds to hold the answer until the work is done.")
    chunking_strategy: dict[str, Any] | None = Field(
        None, description="How the documents are cut, as for vector stores; left out: as the vector store says."
    )
    _http: Request | None = PrivateAttr(default=None)

    @property
    def http(self) -> Request:
        """The request, its body not read yet: it goes to disk, or on to the next service, as it comes."""
        assert self._http is not None, "made by from_http_request alone"
        return self._http

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> Self:
        model = cls.model_construct()
        model._http = request
        return model


@dataclass(frozen=True, slots=True)
class IngestOrder:
    """What `POST /ingest` asks for, its files on disk."""

    uploads: Sequence[UploadedFile]
    vector_store: str = "default"
    attributes: Attributes = field(default_factory=dict)
    wait_s: float = 0
    chunking: Strategy | None = None
    idempotency_key: str | None = None


@contextlib.asynccontextmanager
async def received_ingest(request: Request, folder: Path, max_file_bytes: int) -> AsyncIterator[IngestOrder]:
    """The order; uploads that nobody has taken over by the end are removed. Raises as `receive_form`."""
    key = idempotency_key(request)
    rules = UploadRules("files", _TEXT_FIELDS, max_file_bytes, check_type=check_type, unique_names=True)
    async with receive_form(request, folder, rules) as form:
        checked = IngestRequest.parse({"files": [], **_plain_fields(form.fields)})
        yield IngestOrder(
            form.uploads,
            checked.vector_store,
            checked_attributes(checked.attributes),
            checked.wait_s,
            chunking_wire.from_wire(checked.chunking_strategy),
            key,
        )


def _plain_fields(form: Mapping[str, str]) -> dict[str, Any]:
    """Each is JSON, and `vector_store` may be plain text. Empty ones have their defaults."""
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
