"""`/v1/jobs`: jobs of all kinds. These routes are not part of OpenAI's API but follow its style."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rag.http.openapi.route import Operation, RequestBody
from rag.http.v1.documents.body import RetryJob, read_body
from rag.http.v1.documents.cursor import DocumentQuery, JobQuery, read_query
from rag.http.v1.documents.objects.document import VectorStoreFile, document_object
from rag.http.v1.documents.objects.job import Job, job_object
from rag.http.v1.documents.objects.page import ListOf, list_of
from rag.http.v1.documents.parts import V1Parts
from rag.http.v1.model_response import model_response
from rag.http.v1.route import V1Route

_TAG = "Jobs"
LIST = Operation(
    id="list_jobs",
    scopes=("ask", "ingest"),
    tag=_TAG,
    summary="List jobs",
    query=JobQuery,
    response=ListOf[Job],
    response_description="A page of jobs.",
    errors=[400, 404],
)
GET = Operation(
    id="get_job",
    scopes=("ask", "ingest"),
    tag=_TAG,
    summary="Get a job and its progress",
    response=Job,
    response_description="The job.",
    errors=[404],
)
LIST_FILES = Operation(
    id="list_job_files",
    scopes=("ask", "ingest"),
    tag=_TAG,
    summary="List a job's files",
    query=DocumentQuery,
    response=ListOf[VectorStoreFile],
    response_description="A page of documents.",
    errors=[400, 404],
)
CANCEL = Operation(
    id="cancel_job",
    scopes=("ingest",),
    tag=_TAG,
    summary="Cancel a job",
    description="A job that has already ended is not changed.",
    response=Job,
    response_description="The job.",
    errors=[404],
)
RETRY = Operation(
    id="retry_job",
    scopes=("ingest",),
    tag=_TAG,
    summary="Retry a job's failed and cancelled files",
    body=RequestBody(RetryJob, required=False),
    response=Job,
    response_description="The new job.",
    errors=[400, 404, 409, 413],
)


class JobRoutes:
    def __init__(self, parts: V1Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [
            V1Route("GET", "/jobs", self.list, LIST),
            V1Route("GET", "/jobs/{job:id}", self.get, GET),
            V1Route("GET", "/jobs/{job:id}/files", self.files, LIST_FILES),
            V1Route("POST", "/jobs/{job:id}/cancel", self.cancel, CANCEL),
            V1Route("POST", "/jobs/{job:id}/retry", self.retry, RETRY),
        ]

    async def list(self, request: Request) -> Response:
        query = read_query(JobQuery, request)
        store, active = query.vector_store_id, query.active == "true"
        page = await asyncio.to_thread(self._parts.library().jobs, query.cursor, store=store, active=active)
        return model_response(list_of(page, job_object))

    async def get(self, request: Request) -> Response:
        job = await asyncio.to_thread(self._parts.library().job, request.path_params["job"])
        return model_response(job_object(job))

    async def files(self, request: Request) -> Response:
        query, job = read_query(DocumentQuery, request), request.path_params["job"]
        page = await asyncio.to_thread(self._parts.library().job_files, job, query.cursor, query.filter)
        return model_response(list_of(page, document_object))

    async def cancel(self, request: Request) -> Response:
        job = await asyncio.to_thread(self._parts.library().cancel_job, request.path_params["job"])
        return model_response(job_object(job))

    async def retry(self, request: Request) -> Response:
        body = await read_body(RetryJob, request, may_be_empty=True)
        job = await asyncio.to_thread(self._parts.library().retry_job, request.path_params["job"], body.file_ids)
        return model_response(job_object(job))
