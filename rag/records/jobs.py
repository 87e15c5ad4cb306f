"""Jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from rag.records.documents import FileCounts

JobState: TypeAlias = Literal["queued", "running", "completed", "cancelled", "failed"]

ENDED: frozenset[JobState] = frozenset({"completed", "cancelled", "failed"})
"""The final states of jobs."""

JobKind: TypeAlias = Literal["ingest", "reindex"]


@dataclass(frozen=True, slots=True)
class JobRecord:
    """Accepted work, and its progress."""

    job_id: str
    kind: JobKind
    store_id: str
    state: JobState
    created_at: float
    file_counts: FileCounts
    started_at: float | None = None
    finished_at: float | None = None
    heartbeat_at: float | None = None
    """When it last made progress."""
    step: str = ""
    """What it is doing, for people: `reading guide.pdf`."""
    waiting_for: str = ""
    """What it is waiting for; empty if it is not."""
    stalled: bool = False
    """Whether it has made no progress for longer than expected."""
    pages_done: int = 0
    chunks_done: int = 0
    chunks_total: int = 0
    """Counts the chunks of the files read so far; it grows until all files have been read."""
    chunks_per_s: float | None = None
    seconds_left: float | None = None
    error: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    """For a reindex: the models `from` and `to`."""
