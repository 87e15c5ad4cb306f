"""`/v1/uploads`: files that are uploaded in parts."""

from __future__ import annotations

import asyncio

from openai.types.uploads import UploadPart
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rag.auth.scopes import Scope
from rag.errors import InvalidRequest
from rag.http.openapi.route import FORM, Operation, RequestBody
from rag.http.shielded_thread import run_in_thread_shielded
from rag.http.uploads.form import UploadRules, receive_form
from rag.http.uploads.part_header import read_charset
from rag.http.v1.documents.body import read_body
from rag.http.v1.documents.parts import V1Parts
from rag.http.v1.model_response import model_response
from rag.http.v1.route import V1Route
from rag.http.v1.uploads.models import (
    PART_FIELD,
    AddPart,
    CompleteUpload,
    CreateUpload,
    Upload,
    part_object,
    upload_object,
)
from rag.readers.filename import normalize_filename
from rag.records import NewUpload

MAX_PART_BYTES = 64 * 2**20
"""OpenAI's limit, and the size of the parts that its client sends."""
_TAG = "Uploads"
_SCOPES: tuple[Scope, ...] = ("ingest",)
_WHOSE = "Only the key or token that created an upload can use it."

CREATE = Operation(
    id="create_upload",
    scopes=_SCOPES,
    tag=_TAG,
    summary="Begin to upload a file in parts",
    description=f"{_WHOSE} It expires after an hour.",
    body=CreateUpload,
    response=Upload,
    response_description="The upload.",
    errors=[400, 413],
    links={
        name: {"upload_id": "$response.body#/id"} for name in ("add_upload_part", "complete_upload", "cancel_upload")
    },
)
ADD_PART = Operation(
    id="add_upload_part",
    scopes=_SCOPES,
    tag=_TAG,
    summary="Upload a part",
    description=f"{_WHOSE} A part has at most 64 MiB. Parts can be uploaded in any order, and at the same time.",
    body=RequestBody(AddPart, FORM),
    response=UploadPart,
    response_description="The part.",
    errors=[400, 404, 413],
)
COMPLETE = Operation(
    id="complete_upload",
    scopes=_SCOPES,
    tag=_TAG,
    summary="Make a file of the parts",
    description=_WHOSE,
    body=CompleteUpload,
    response=Upload,
    response_description="The upload, with the file.",
    errors=[400, 404, 413],
)
CANCEL = Operation(
    id="cancel_upload",
    scopes=_SCOPES,
    tag=_TAG,
    summary="Cancel an upload, and delete its parts",
    description=_WHOSE,
    response=Upload,
    response_description="The upload.",
    errors=[400, 404],
)


class UploadRoutes:
    def __init__(self, parts: V1Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        one = "/uploads/{upload_id:id}"
        return [
            V1Route("POST", "/uploads", self.create, CREATE),
            V1Route("POST", f"{one}/parts", self.add_part, ADD_PART),
            V1Route("POST", f"{one}/complete", self.complete, COMPLETE),
            V1Route("POST", f"{one}/cancel", self.cancel, CANCEL),
        ]

    async def create(self, request: Request) -> Response:
        body = await read_body(CreateUpload, request)
        new = NewUpload(
            _normalized(body.filename),
            body.purpose,
            body.bytes,
            read_charset(body.mime_type.encode()),
            None if body.expires_after is None else body.expires_after.seconds,
        )
        return model_response(upload_object(await asyncio.to_thread(self._parts.uploads().create, new)))

    async def add_part(self, request: Request) -> Response:
        uploads = self._parts.uploads()
        await asyncio.to_thread(uploads.check_pending, _id(request))  # before the bytes are received
        limit = min(MAX_PART_BYTES, self._parts.max_file_bytes)
        rules = UploadRules(PART_FIELD, (), limit, max_files=1)
        async with receive_form(request, self._parts.incoming, rules) as form:
            part = await run_in_thread_shielded(uploads.add_part, _id(request), form.uploads[0])
        return model_response(part_object(part))

    async def complete(self, request: Request) -> Response:
        body = await read_body(CompleteUpload, request)
        done = await run_in_thread_shielded(self._parts.uploads().complete, _id(request), body.part_ids, body.md5)
        return model_response(upload_object(done))

    async def cancel(self, request: Request) -> Response:
        return model_response(upload_object(await asyncio.to_thread(self._parts.uploads().cancel, _id(request))))


def _id(request: Request) -> str:
    upload_id: str = request.path_params["upload_id"]
    return upload_id


def _normalized(filename: str) -> str:
    try:
        return normalize_filename(filename)
    except InvalidRequest as error:
        raise InvalidRequest(error.message, param="filename") from None
