"""The bodies of `/v1/batches`, and its objects in the OpenAPI document."""

from __future__ import annotations

from typing import Literal, Self

from openai.types import Batch as OpenAIBatch
from openai.types.batch import Errors
from openai.types.batch_request_counts import BatchRequestCounts
from openai.types.batch_usage import BatchUsage
from pydantic import BaseModel, ConfigDict, Field

from rag.http.v1.documents.body import Body, Id, Metadata, Text, example
from rag.http.v1.documents.files import MAX_EXPIRY_S
from rag.http.v1.documents.objects.seconds import seconds
from rag.http.v1.page_ends import page_ends
from rag.http.v1.uploads.models import FileExpiry
from rag.records import BatchRecord, BatchState, Cursor, NewBatch, Page

BatchEndpoint = Literal["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings", "/v1/rerank"]
"""The routes that batches can use."""
_ENDED_AT: dict[BatchState, str] = {
    "completed": "completed_at",
    "failed": "failed_at",
    "expired": "expired_at",
    "cancelled": "cancelled_at",
}
"""The field with the time of its end, by state."""


class CreateRequestBatch(Body):
    model_config = example(
        input_file_id="file-0123", endpoint="/v1/chat/completions", completion_window="24h", metadata={"topic": "guide"}
    )

    input_file_id: Id = Field(description="ID of an uploaded file with the purpose `batch`: a JSON object a line.")
    endpoint: BatchEndpoint = Field(description="The route that all requests are for.")
    completion_window: Literal["24h"] = Field(description="The time within which the batch should be processed.")
    metadata: Metadata | None = Field(None, description="At most 16 strings of your own, by name.")
    output_expires_after: FileExpiry | None = Field(
        None, description="When the output file and the error file expire; left out: 30 days after they were created."
    )

    def parsed(self) -> NewBatch:
        expiry = self.output_expires_after
        return NewBatch(
            self.endpoint,
            self.input_file_id,
            self.metadata or {},
            MAX_EXPIRY_S if expiry is None else expiry.seconds,
        )


class BatchQuery(BaseModel):
    """Which part of the list of batches is requested, newest first."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=100, description="Maximum number of objects.")
    after: Text | None = Field(None, description="ID of a batch; the list starts after it.")

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.limit, "desc", self.after)


class Batch(OpenAIBatch):
    """A batch of requests."""

    @classmethod
    def of(cls, record: BatchRecord) -> Self:
        counts = BatchRequestCounts(total=record.total, completed=record.completed, failed=record.failed)
        values = dict(
            id=record.id,
            object="batch",
            endpoint=record.endpoint,
            model=record.model or None,
            errors=_errors(record),
            input_file_id=record.input_file_id,
            completion_window="24h",
            status=record.state,
            output_file_id=record.output_file_id,
            error_file_id=record.error_file_id,
            created_at=int(record.created_at),
            in_progress_at=seconds(record.in_progress_at),
            expires_at=int(record.deadline_at),
            finalizing_at=seconds(record.finalizing_at),
            cancelling_at=seconds(record.cancelling_at),
            request_counts=counts,
            usage=None if record.usage is None else BatchUsage.model_validate(record.usage),
            metadata=dict(record.metadata),
            **_end_time(record),
        )
        return cls(**{name: value for name, value in values.items() if value is not None})


def _errors(record: BatchRecord) -> Errors | None:
    """Each with the fields that have a value."""
    data = [{name: value for name, value in error.items() if value is not None} for error in record.errors]
    return Errors.model_validate({"object": "list", "data": data}) if data else None


def _end_time(record: BatchRecord) -> dict[str, int | None]:
    name = _ENDED_AT.get(record.state)
    return {} if name is None else {name: seconds(record.ended_at)}


class BatchList(BaseModel):
    """One page of the list. `after=last_id` requests the next page."""

    object: Literal["list"]
    data: list[Batch]
    first_id: str
    last_id: str
    has_more: bool = Field(description="Whether there is a next page.")

    @classmethod
    def of(cls, page: Page[BatchRecord]) -> Self:
        data = [Batch.of(record) for record in page.rows]
        return cls(object="list", data=data, **page_ends([batch.id for batch in data]), has_more=page.has_more)
