"""`/v1/jobs`: durable work of all kinds. Not OpenAI's, but in its style."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag.http.v1.documents.body import RetryJob, read_body
from rag.http.v1.documents.cursor import list_of, read_cursor, read_flag, read_status
from rag.http.v1.documents.objects import document_object, job_object
from rag.http.v1.documents.parts import V1Parts


class JobRoutes:
    def __init__(self, parts: V1Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [
            Route("/jobs", self.list, methods=["GET"]),
            Route("/jobs/{job:id}", self.get, methods=["GET"]),
            Route("/jobs/{job:id}/files", self.files, methods=["GET"]),
            Route("/jobs/{job:id}/cancel", self.cancel, methods=["POST"]),
            Route("/jobs/{job:id}/retry", self.retry, methods=["POST"]),
        ]

    async def list(self, request: Request) -> Response:
        cursor = read_cursor(request, others=("before", "vector_store_id", "active"))
        store, active = request.query_params.get("vector_store_id"), read_flag(request, "active")
        page = await asyncio.to_thread(self._parts.library().jobs, cursor, store=store, active=active)
        return JSONResponse(list_of(page, job_object))

    async def get(self, request: Request) -> Response:
        job = await asyncio.to_thread(self._parts.library().job, request.path_params["job"])
        return JSONResponse(job_object(job))

    async def files(self, request: Request) -> Response:
        cursor, status = read_cursor(request, others=("before", "filter")), read_status(request)
        page = await asyncio.to_thread(self._parts.library().job_files, request.path_params["job"], cursor, status)
        return JSONResponse(list_of(page, document_object))

    async def cancel(self, request: Request) -> Response:
        job = await asyncio.to_thread(self._parts.library().cancel_job, request.path_params["job"])
        return JSONResponse(job_object(job))

    async def retry(self, request: Request) -> Response:
        body = await read_body(RetryJob, request, may_be_empty=True)
        job = await asyncio.to_thread(self._parts.library().retry_job, request.path_params["job"], body.file_ids)
        return JSONResponse(job_object(job))
