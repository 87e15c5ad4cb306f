"""What the catalog keeps, as frozen values. Times are Unix seconds; JSON-like values are plain dictionaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from rag.types import Attributes, Change

Row = TypeVar("Row")
Strategy: TypeAlias = Mapping[str, Any]
"""A chunking strategy as `rag.chunkers.strategy` writes it to JSON."""

MAX_ATTRIBUTES = 16
"""Of one document, as OpenAI has it."""
WorkStatus: TypeAlias = Literal["in_progress", "completed", "failed", "cancelled"]
"""Of a document or a file of a job, as OpenAI names them."""
JobState: TypeAlias = Literal["queued", "running", "completed", "cancelled", "failed"]
ENDED: frozenset[JobState] = frozenset({"completed", "cancelled", "failed"})
"""States in which a job stays."""
JobKind: TypeAlias = Literal["ingest", "reindex"]


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """A part of a list."""

    rows: Sequence[Row]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Cursor:
    """Which part of a list is wanted: rows by time of creation."""

    limit: int = 20
    order: Literal["asc", "desc"] = "desc"
    after: str | None = None
    """Id of the row before the first wanted one."""
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """An upload that is on disk. It belongs to whoever holds it; the library moves it away or deletes it."""

    filename: str
    """Normalised; see `rag.readers.filename`."""
    path: Path
    bytes: int
    content_hash: str
    """SHA-256 in hex."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """An uploaded file. `bytes` and `content_hash` are those of its newest content."""

    file_id: str
    filename: str
    purpose: str
    bytes: int
    content_hash: str
    created_at: float
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class FileCounts:
    in_progress: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def total(self) -> int:
        return self.in_progress + self.completed + self.failed + self.cancelled


@dataclass(frozen=True, slots=True)
class StoreRecord:
    """A vector store."""

    store_id: str
    name: str
    created_at: float
    last_active_at: float
    usage_bytes: int
    file_counts: FileCounts
    embedder: str
    """Model that its vectors come from."""
    description: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    chunking: Strategy | None = None
    """Of documents that bring none of their own; None: the service's default."""
    expires_after_days: int | None = None
    """Counted from `last_active_at`."""
    expires_at: float | None = None
    status: Literal["completed", "in_progress", "expired"] = "completed"
    retrieval: Mapping[str, Any] | None = None
    """How it is searched, where that is not as the service is set; names as in `rag.retrieve.options`."""
    sparse_embedder: str = ""
    """Learned sparse model that it has vectors of, too; empty: of none."""


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A file in a vector store: its newest version, or one version of a job."""

    document_id: str
    """Stable: the same name in the same vector store is the same document."""
    store_id: str
    file_id: str
    filename: str
    status: WorkStatus
    created_at: float
    attributes: Attributes = field(default_factory=dict)
    chunking: Strategy | None = None
    usage_bytes: int = 0
    error_code: str | None = None
    error_message: str | None = None
    version: int = 0
    """Grows with each accepted change of any document."""
    content_hash: str = ""
    bytes: int = 0
    media_type: str = ""
    title: str = ""
    language: str = ""
    pages: int = 0
    chunks: int = 0
    chunks_done: int = 0
    searchable: bool = False
    """Whether some version of it is found by questions; an older one may be while a newer is in progress or failed."""
    change: Change | None = None
    """Of a job's file: what the upload did."""
    origin: str = ""
    """Where it came from: `ingest` or `files`, and the request's id."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """Accepted work, and how far it is."""

    job_id: str
    kind: JobKind
    store_id: str
    state: JobState
    created_at: float
    file_counts: FileCounts
    started_at: float | None = None
    finished_at: float | None = None
    heartbeat_at: float | None = None
    """When it last got on."""
    step: str = ""
    """What it does now, for people: `reading guide.pdf`."""
    waiting_for: str = ""
    """What keeps it from getting on; empty when nothing does."""
    stalled: bool = False
    """Whether it has not got on for longer than it should."""
    pages_done: int = 0
    chunks_done: int = 0
    chunks_total: int = 0
    """Of the files read so far; it grows until all are."""
    chunks_per_s: float | None = None
    seconds_left: float | None = None
    error: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    """Of a reindex: `from`, `to` (models)."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that shall go into a vector store."""

    file_id: str
    attributes: Attributes = field(default_factory=dict)
    chunking: Strategy | None = None


@dataclass(frozen=True, slots=True)
class NewStore:
    """What a caller may say of a vector store; None: not said."""

    name: str | None = None
    description: str | None = None
    metadata: Mapping[str, str] | None = None
    chunking: Strategy | None = None
    expires_after_days: int | None = None
    forget_expiry: bool = False
    """The caller said that it shall not expire."""
    retrieval: Mapping[str, Any] | None = None
    """In place of all that was said of it before; empty: searched as the service is set."""
