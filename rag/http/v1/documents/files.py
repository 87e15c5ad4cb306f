"""`/v1/files`: uploaded files of any type."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Literal

from openai.types import FileDeleted
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from rag.errors import FileNotFound, InvalidRequest
from rag.http.fields.fail_fast import StrictModel
from rag.http.fields.groups_wire import READ_GROUPS, Groups
from rag.http.openapi.parameters import RANGE
from rag.http.openapi.route import BINARY, FORM, Operation, RequestBody
from rag.http.shielded_thread import run_in_thread_shielded
from rag.http.uploads.form import UploadForm, UploadRules, receive_form
from rag.http.v1.documents.cursor import FileQuery, read_query
from rag.http.v1.documents.objects.file import File, file_object
from rag.http.v1.documents.objects.page import ListOf, list_of
from rag.http.v1.documents.parts import V1Parts
from rag.http.v1.model_response import model_response
from rag.http.v1.route import V1Route
from rag.http.validation.validation_errors import parsed
from rag.readers.formats import BINARY_KINDS, TEXT_KINDS
from rag.records import FileRecord

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
_ANCHOR, _SECONDS = "expires_after[anchor]", "expires_after[seconds]"
_FIELDS = ("purpose", "read_groups", _ANCHOR, _SECONDS)
MIN_EXPIRY_S, MAX_EXPIRY_S = 3600, 2_592_000
_UNTRUSTED = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox; default-src 'none'"}
"""Headers of uploaded content: no browser may treat it as a page of this service."""


class FormFileExpiry(BaseModel):
    anchor: Literal["created_at"]
    seconds: int = Field(ge=MIN_EXPIRY_S, le=MAX_EXPIRY_S)


class CreateFile(BaseModel):
    """The multipart form of an upload. The handler reads it as it arrives, and writes the file to disk."""

    model_config = ConfigDict(extra="forbid")

    file: Annotated[bytes, WithJsonSchema({"type": "string", "format": "binary"})] = Field(
        description="The file, with its name."
    )
    purpose: Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"] = Field(
        "assistants",
        description="`batch`: the file is the input of a batch, expires after 30 days by itself, and no document can "
        "be made of it. The others are stored for OpenAI's clients and have no effect; `evals` is returned as "
        "`user_data`.",
    )
    expires_after: FormFileExpiry | None = Field(
        None, description="Sent as the form fields `expires_after[anchor]` and `expires_after[seconds]`."
    )
    read_groups: Groups = Field([], description=f"JSON list. {READ_GROUPS} Documents of the file get them too.")


_TAG = "Files"
CREATE = Operation(
    id="create_file",
    scopes=("ingest",),
    tag=_TAG,
    summary="Upload a file",
    body=RequestBody(CreateFile, FORM),
    response=File,
    response_description="The file.",
    errors=[400, 413],
    links={name: {"file_id": "$response.body#/id"} for name in ("get_file", "get_file_content", "delete_file")},
)
LIST = Operation(
    id="list_files",
    scopes=("ask", "ingest"),
    tag=_TAG,
    summary="List files",
    query=FileQuery,
    response=ListOf[File],
    response_description="A page of files.",
    errors=[400],
)
GET = Operation(
    id="get_file",
    scopes=("ask", "ingest"),
    tag=_TAG,
    summary="Get a file",
    response=File,
    response_description="The file.",
    errors=[404],
)
DELETE = Operation(
    id="delete_file",
    scopes=("delete",),
    tag=_TAG,
    summary="Delete a file and its documents in all vector stores",
    response=FileDeleted,
    response_description="The file was deleted.",
    errors=[404],
)
GET_CONTENT = Operation(
    id="get_file_content",
    scopes=("ask", "ingest"),
    tag=_TAG,
    summary="Get the newest content of a file",
    headers=[RANGE],
    content=BINARY,
    response_description="All bytes. The media type is derived from the file's name.",
    other_responses={206: "The bytes that `Range` requested."},
    errors=[400, 404],
)


class FileRoutes:
    def __init__(self, parts: V1Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        one = "/files/{file_id:id}"
        return [
            V1Route("POST", "/files", self.create, CREATE),
            V1Route("GET", "/files", self.list, LIST),
            V1Route("GET", one, self.get, GET),
            V1Route("DELETE", one, self.delete, DELETE),
            V1Route("GET", f"{one}/content", self.content, GET_CONTENT),
        ]

    async def create(self, request: Request) -> Response:
        library = self._parts.library()
        rules = UploadRules("file", _FIELDS, self._parts.max_file_bytes, max_files=1)
        async with receive_form(request, self._parts.incoming, rules) as form:
            options = _purpose(form), _expiry_s(form.fields), _read_groups(form.fields)
            file = await run_in_thread_shielded(library.add_file, form.uploads[0], *options)
        return model_response(file_object(file))

    async def list(self, request: Request) -> Response:
        query = read_query(FileQuery, request)
        page = await asyncio.to_thread(self._parts.library().files, query.cursor, query.purpose)
        return model_response(list_of(page, file_object))

    async def get(self, request: Request) -> Response:
        return model_response(file_object(await self._file(request)))

    async def delete(self, request: Request) -> Response:
        file_id = request.path_params["file_id"]
        await asyncio.to_thread(self._parts.library().delete_file, file_id)
        return model_response(FileDeleted(id=file_id, object="file", deleted=True))

    async def content(self, request: Request) -> Response:
        file = await self._file(request)
        path = await asyncio.to_thread(self._parts.library().content, file.file_id)
        try:
            stat = await asyncio.to_thread(os.stat, path)
        except FileNotFoundError:
            raise FileNotFound(f"the content of {file.file_id} no longer exists", param="file_id") from None
        headers = {**_UNTRUSTED, "content-type": media_type(file.filename)}
        return FileResponse(path, headers=headers, filename=file.filename, stat_result=stat)

    async def _file(self, request: Request) -> FileRecord:
        return await asyncio.to_thread(self._parts.library().file, request.path_params["file_id"])


def media_type(filename: str) -> str:
    """Derived from the file name alone, and without a charset, which is not known."""
    suffix = PurePosixPath(filename).suffix.lower()
    return TEXT_KINDS.get(suffix) or BINARY_KINDS.get(suffix) or "application/octet-stream"


def _purpose(form: UploadForm) -> str:
    purpose = form.fields.get("purpose") or "assistants"
    if purpose not in PURPOSES:
        raise InvalidRequest(f"purpose: must be one of {', '.join(PURPOSES)}", param="purpose")
    return purpose


class _ReadGroups(StrictModel):
    read_groups: Groups


def _read_groups(fields: Mapping[str, str]) -> list[str]:
    text = fields.get("read_groups") or "[]"
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidRequest("read_groups: is not valid JSON", param="read_groups") from None
    return parsed(_ReadGroups, {"read_groups": value}).read_groups


def _expiry_s(fields: Mapping[str, str]) -> int | None:
    if _ANCHOR not in fields and _SECONDS not in fields:
        return None
    if fields.get(_ANCHOR) != "created_at":
        raise InvalidRequest(f"{_ANCHOR}: must be created_at", param=_ANCHOR)
    seconds = fields.get(_SECONDS, "")
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) < 10):
        seconds = "0"
    if not MIN_EXPIRY_S <= int(seconds) <= MAX_EXPIRY_S:
        message = f"{_SECONDS}: must be a whole number from {MIN_EXPIRY_S} to {MAX_EXPIRY_S}"
        raise InvalidRequest(message, param=_SECONDS)
    return int(seconds)
