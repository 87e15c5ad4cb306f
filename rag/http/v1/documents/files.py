"""`/v1/files`: uploaded files, whatever they are."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from rag.errors import FileNotFound, InvalidRequest
from rag.http.shielded_thread import run_in_thread_shielded
from rag.http.uploads.form import UploadForm, UploadRules, receive_form
from rag.http.v1.documents.cursor import list_of, read_cursor
from rag.http.v1.documents.objects import deleted_object, file_object
from rag.http.v1.documents.parts import V1Parts
from rag.readers.formats import BINARY_KINDS, TEXT_KINDS
from rag.records import FileRecord

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
_ANCHOR, _SECONDS = "expires_after[anchor]", "expires_after[seconds]"
_FIELDS = ("purpose", _ANCHOR, _SECONDS)
SHORTEST_S, LONGEST_S = 3600, 2_592_000
_NEVER_SHOWN = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox; default-src 'none'"}
"""Uploads are foreign: no browser may take one for a page of ours."""


class FileRoutes:
    def __init__(self, parts: V1Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [
            Route("/files", self.create, methods=["POST"]),
            Route("/files", self.list, methods=["GET"]),
            Route("/files/{file_id:id}", self.get, methods=["GET"]),
            Route("/files/{file_id:id}", self.delete, methods=["DELETE"]),
            Route("/files/{file_id:id}/content", self.content, methods=["GET"]),
        ]

    async def create(self, request: Request) -> Response:
        library = self._parts.library()
        rules = UploadRules("file", _FIELDS, self._parts.max_file_bytes, max_files=1)
        async with receive_form(request, self._parts.incoming, rules) as form:
            purpose, expires_s = _purpose(form), _expiry_s(form.fields)
            file = await run_in_thread_shielded(library.add_file, form.uploads[0], purpose, expires_s)
        return JSONResponse(file_object(file))

    async def list(self, request: Request) -> Response:
        cursor = read_cursor(request, others=("purpose",), max_limit=10_000, default_limit=10_000)
        purpose = request.query_params.get("purpose")
        page = await asyncio.to_thread(self._parts.library().files, cursor, purpose)
        return JSONResponse(list_of(page, file_object))

    async def get(self, request: Request) -> Response:
        return JSONResponse(file_object(await self._file(request)))

    async def delete(self, request: Request) -> Response:
        file_id = request.path_params["file_id"]
        await asyncio.to_thread(self._parts.library().delete_file, file_id)
        return JSONResponse(deleted_object(file_id, "file"))

    async def content(self, request: Request) -> Response:
        file = await self._file(request)
        path = await asyncio.to_thread(self._parts.library().content, file.file_id)
        try:
            stat = await asyncio.to_thread(os.stat, path)
        except FileNotFoundError:
            raise FileNotFound(f"the content of {file.file_id} is gone", param="file_id") from None
        headers = {**_NEVER_SHOWN, "content-type": media_type(file.filename)}
        return FileResponse(path, headers=headers, filename=file.filename, stat_result=stat)

    async def _file(self, request: Request) -> FileRecord:
        return await asyncio.to_thread(self._parts.library().file, request.path_params["file_id"])


def media_type(filename: str) -> str:
    """By the name alone, and without a charset, which nobody knows."""
    suffix = PurePosixPath(filename).suffix.lower()
    return TEXT_KINDS.get(suffix) or BINARY_KINDS.get(suffix) or "application/octet-stream"


def _purpose(form: UploadForm) -> str:
    purpose = form.fields.get("purpose") or "assistants"
    if purpose not in PURPOSES:
        raise InvalidRequest(f"purpose: must be one of {', '.join(PURPOSES)}", param="purpose")
    return purpose


def _expiry_s(fields: Mapping[str, str]) -> int | None:
    if _ANCHOR not in fields and _SECONDS not in fields:
        return None
    if fields.get(_ANCHOR) != "created_at":
        raise InvalidRequest(f"{_ANCHOR}: must be created_at", param=_ANCHOR)
    seconds = fields.get(_SECONDS, "")
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) < 10):
        seconds = "0"
    if not SHORTEST_S <= int(seconds) <= LONGEST_S:
        words = f"must be a whole number from {SHORTEST_S} to {LONGEST_S}"
        raise InvalidRequest(f"{_SECONDS}: {words}", param=_SECONDS)
    return int(seconds)
