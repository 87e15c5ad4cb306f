"""Jobs, as the `job` object of this service and as OpenAI's `vector_store.files_batch`."""

from __future__ import annotations

from typing import Literal

from openai.types.vector_stores import VectorStoreFileBatch
from pydantic import BaseModel, Field, JsonValue

from rag.http.v1.documents.objects.file_counts import FileCountsOut, counts_object
from rag.http.v1.documents.objects.seconds import seconds
from rag.records import JobKind, JobRecord, JobState, WorkStatus
from rag.records.job_step import JobStep


class FileBatch(VectorStoreFileBatch):
    file_counts: FileCountsOut  # type: ignore[assignment]


class Progress(BaseModel):
    step: str = Field(description="The current step, for example `reading guide.pdf`.")
    step_code: str = Field(description="The step for programs, such as `reading`; empty before the first one.")
    step_values: dict[str, str] = Field(description="What the step names, such as the `name` of a file.")
    waiting_for: str = Field(description="What the job is waiting for; empty if it is not waiting.")
    stalled: bool = Field(description="Whether the job has made no progress for too long.")
    pages: int = Field(description="Pages read so far.")
    chunks: int = Field(description="Chunks stored so far.")
    chunks_total: int = Field(description="Chunks of the files read so far. Grows until all files have been read.")
    chunks_per_s: float | None
    seconds_left: float | None = Field(description="Estimate; null if it is not known yet.")


class Job(BaseModel):
    id: str
    object: Literal["job"]
    kind: JobKind
    vector_store_id: str
    status: JobState
    created_at: int
    started_at: int | None
    finished_at: int | None
    file_counts: FileCountsOut
    progress: Progress
    error: str | None
    details: dict[str, JsonValue] = Field(description="For a reindex: the embedding models `from` and `to`.")


def batch_object(job: JobRecord) -> FileBatch:
    return FileBatch(
        id=job.job_id,
        object="vector_store.files_batch",
        created_at=int(job.created_at),
        vector_store_id=job.store_id,
        status=batch_status(job),
        file_counts=counts_object(job.file_counts),
    )


def batch_status(job: JobRecord) -> WorkStatus:
    return "in_progress" if job.state == "queued" or job.state == "running" else job.state


def job_object(job: JobRecord) -> Job:
    return Job(
        id=job.job_id,
        object="job",
        kind=job.kind,
        vector_store_id=job.store_id,
        status=job.state,
        created_at=int(job.created_at),
        started_at=seconds(job.started_at),
        finished_at=seconds(job.finished_at),
        file_counts=counts_object(job.file_counts),
        progress=_progress(job),
        error=job.error,
        details=dict(job.details),
    )


def _progress(job: JobRecord) -> Progress:
    step = JobStep.parse(job.step)
    return Progress(
        step=step.text,
        step_code=step.code,
        step_values=dict(step.values),
        waiting_for=job.waiting_for,
        stalled=job.stalled,
        pages=job.pages_done,
        chunks=job.chunks_done,
        chunks_total=job.chunks_total,
        chunks_per_s=job.chunks_per_s,
        seconds_left=job.seconds_left,
    )
