"""The multipart body of `POST /ingest`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import Field, PrivateAttr
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from rag.errors import FileTooLarge, InvalidRequest, RagError
from rag.http.wire import WireModel
from rag.ingest.pipeline import Upload
from rag.ingest.readers import normalize_filename
from rag.types import Attributes

_FIELDS = ("files", "vector_store", "attributes", "wait_s")
_MAX_FILES = 1000


class IngestRequest(WireModel):
    """Documents to be added, or replaced: a file name and its vector store identify a document."""

    files: list[Path] = Field(description="Markdown, plain text or HTML files.")
    vector_store: str = Field("default", description="The collection that the documents go into.", max_length=64)
    attributes: dict[str, Any] = Field(
        default_factory=dict,
        description="JSON object of text, numbers and booleans kept with every document.",
        json_schema_extra={"example": {"topic": "guide"}},
    )
    wait_s: float = Field(0, ge=0, le=3600, description="Seconds to hold the answer until the work is done.")
    _uploads: Sequence[Upload] = PrivateAttr(default=())

    @property
    def uploads(self) -> Sequence[Upload]:
        return self._uploads

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> Self:
        try:
            media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
            if media_type != "multipart/form-data":
                raise InvalidRequest("send the files as multipart/form-data", param="content-type")
            async with request.form(max_files=_MAX_FILES) as form:
                return await _read(cls, form)
        except RagError as error:
            return cls.refuse(error)
        except Exception:  # starlette and python-multipart raise several kinds
            return cls.refuse(InvalidRequest(f"the body is not multipart/form-data with up to {_MAX_FILES} files"))


async def _read(cls: type[IngestRequest], form: FormData) -> IngestRequest:
    for name in form:
        if name not in _FIELDS:
            raise InvalidRequest(f"{name[:80]}: is not a field of this request", param=name[:80])
    files = form.getlist("files")
    if not files or not all(isinstance(file, UploadFile) for file in files):
        raise InvalidRequest("files: send at least one file, each with its name", param="files")
    request = cls.parse({"files": [], **_plain_fields(form)})
    _check_attributes(request.attributes)
    request._uploads = [
        Upload(normalize_filename(f.filename or ""), await f.read()) for f in files if isinstance(f, UploadFile)
    ]
    return request


def _plain_fields(form: FormData) -> dict[str, Any]:
    """The other fields: each is JSON, and `vector_store` may be plain text."""
    fields: dict[str, Any] = {}
    for name in ("vector_store", "attributes", "wait_s"):
        if (value := form.get(name)) in (None, ""):
            continue
        if isinstance(value, UploadFile):
            raise InvalidRequest(f"{name}: is sent as a file; send it as text", param=name)
        try:
            parsed = json.loads(str(value))
        except (ValueError, RecursionError):
            if name != "vector_store":
                raise InvalidRequest(f"{name}: is not valid JSON", param=name) from None
            parsed = str(value)
        fields[name] = str(value) if name == "vector_store" and not isinstance(parsed, str) else parsed
    return fields


def _check_attributes(attributes: Attributes) -> None:
    for key, value in attributes.items():
        if not isinstance(value, str | int | float | bool):
            raise InvalidRequest(f"attributes.{key[:80]}: must be text, a number or a boolean", param="attributes")
        if isinstance(value, int | float) and not (math.isfinite(value) and abs(value) < 2**63):
            raise InvalidRequest(f"attributes.{key[:80]}: the number is too large", param="attributes")
        if len(key) > 64 or (isinstance(value, str) and len(value) > 512):
            raise InvalidRequest("attributes: a key has 64 characters at most, a text 512", param="attributes")
    if len(attributes) > 16:
        raise InvalidRequest("attributes: there are 16 at most", param="attributes")


def refuse_large(uploads: Sequence[Upload], max_bytes: int) -> None:
    """Raises FileTooLarge with the first file above the limit, and the limit."""
    for upload in uploads:
        if len(upload.content) > max_bytes:
            message = f"{upload.filename}: has {len(upload.content)} bytes; a file has {max_bytes} at most"
            raise FileTooLarge(message, param=upload.filename)
