"""`/v1/jobs`."""

from __future__ import annotations

from rag.http.openapi.objects import Job, ListOf, VectorStoreFile
from rag.http.openapi.operation import Gives, Operation, Parameter, Takes
from rag.http.openapi.parameters import LIST, STATUS
from rag.http.v1.documents.body import RetryJob

_TAG = "Jobs"
_ONE = "/v1/jobs/{job}"
_FLAG = {"type": "string", "enum": ["true", "false"], "default": "false"}

OPERATIONS = (
    Operation(
        name="list_jobs",
        method="get",
        path="/v1/jobs",
        tag=_TAG,
        summary="List jobs",
        parameters=[
            *LIST,
            Parameter("vector_store_id", {"type": "string"}, "Only those of this vector store."),
            Parameter("active", _FLAG, "Only those that have not ended."),
        ],
        gives=[Gives("Jobs.", ListOf[Job])],
        fails=[400, 404],
    ),
    Operation(
        name="get_job",
        method="get",
        path=_ONE,
        tag=_TAG,
        summary="How far a job is",
        gives=[Gives("The job.", Job)],
        fails=[404],
    ),
    Operation(
        name="list_job_files",
        method="get",
        path=f"{_ONE}/files",
        tag=_TAG,
        summary="List a job's files",
        parameters=[*LIST, STATUS],
        gives=[Gives("Documents.", ListOf[VectorStoreFile])],
        fails=[400, 404],
    ),
    Operation(
        name="cancel_job",
        method="post",
        path=f"{_ONE}/cancel",
        tag=_TAG,
        summary="Stop a job; one that has ended stays as it is",
        gives=[Gives("The job.", Job)],
        fails=[404],
    ),
    Operation(
        name="retry_job",
        method="post",
        path=f"{_ONE}/retry",
        tag=_TAG,
        summary="Try a job's failed and cancelled files again",
        takes=Takes(RetryJob, required=False),
        gives=[Gives("The new job.", Job)],
        fails=[400, 404, 409, 413],
    ),
)
