"""How many files of a vector store or a job are in each status."""

from __future__ import annotations

from pydantic import BaseModel

from rag.records import FileCounts


class FileCountsOut(BaseModel):
    in_progress: int
    completed: int
    failed: int
    cancelled: int
    total: int


def counts_object(counts: FileCounts) -> FileCountsOut:
    return FileCountsOut(
        in_progress=counts.in_progress,
        completed=counts.completed,
        failed=counts.failed,
        cancelled=counts.cancelled,
        total=counts.total,
    )
