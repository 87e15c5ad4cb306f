"""The records of documents, files, vector stores and jobs that callers see. Times are Unix seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from rag.types import Attributes, Change

Record = TypeVar("Record")
Strategy: TypeAlias = Mapping[str, Any]
"""A chunking strategy as JSON, as `rag.chunkers.strategy` writes it."""

DAY_S = 86_400.0
MAX_ATTRIBUTES = 16
"""Of one document; OpenAI's limit."""
DocumentSort: TypeAlias = Literal["created_at", "filename"]
"""What lists of documents may be sorted by."""
WorkStatus: TypeAlias = Literal["in_progress", "completed", "failed", "cancelled"]
"""Of a document or a file of a job; OpenAI's names."""
JobState: TypeAlias = Literal["queued", "running", "completed", "cancelled", "failed"]
ENDED: frozenset[JobState] = frozenset({"completed", "cancelled", "failed"})
"""The final states of jobs."""
JobKind: TypeAlias = Literal["ingest", "reindex"]


@dataclass(frozen=True, slots=True)
class Page(Generic[Record]):
    """A page of a list."""

    rows: Sequence[Record]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Cursor:
    """Which page of a list is wanted. Lists are sorted by time of creation."""

    limit: int = 20
    order: Literal["asc", "desc"] = "desc"
    after: str | None = None
    """Id of the item before the page."""
    before: str | None = None
    """Id of the item after the page."""


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """An upload on disk. Whoever holds it owns it: the library moves or deletes the file."""

    filename: str
    """Normalised; see `rag.readers.filename`."""
    path: Path
    bytes: int
    content_hash: str
    """SHA-256 in hex."""
    charset: str = ""
    """The encoding of its text by the upload's Content-Type; empty if that names none."""


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
    read_groups: Sequence[str] = ()
    """The groups that may read it; empty: everyone in the tenant."""


@dataclass(frozen=True, slots=True)
class NewUpload:
    """A file that will be uploaded in parts."""

    filename: str
    """Normalised; see `rag.readers.filename`."""
    purpose: str
    bytes: int
    charset: str = ""
    """As that of `UploadedFile`."""
    file_expiry_s: int | None = None
    """After how many seconds the file expires; None: its purpose decides."""


@dataclass(frozen=True, slots=True)
class UploadPartRecord:
    part_id: str
    upload_id: str
    created_at: float


@dataclass(frozen=True, slots=True)
class UploadRecord:
    """An upload in parts."""

    upload_id: str
    filename: str
    purpose: str
    bytes: int
    """Of the whole file."""
    status: Literal["pending", "completed", "cancelled", "expired"]
    created_at: float
    expires_at: float
    file: FileRecord | None = None
    """Of a completed upload, as long as the file exists."""


BatchState: TypeAlias = Literal[
    "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"
]
"""OpenAI's states of a batch of requests."""


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch of requests that a client creates."""

    endpoint: str
    """The path of the route that all its requests are for."""
    input_file_id: str
    metadata: Mapping[str, str]
    output_expiry_s: int
    """After how many seconds its output files expire."""


@dataclass(frozen=True, slots=True)
class BatchFault:
    """Why a batch failed."""

    code: str
    message: str
    line: int | None = None
    """Of the input file, from 1."""
    param: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code, "line": self.line, "message": self.message, "param": self.param}


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """A batch of requests, as clients see it."""

    id: str
    endpoint: str
    input_file_id: str
    state: BatchState
    errors: Sequence[Mapping[str, Any]]
    metadata: Mapping[str, str]
    model: str
    """Of all its requests; empty: several, or not known yet."""
    total: int
    completed: int
    failed: int
    usage: Mapping[str, Any] | None
    """Sums of its responses; None until it has ended, or if none of them had any."""
    output_file_id: str | None
    error_file_id: str | None
    created_at: float
    deadline_at: float
    in_progress_at: float | None
    finalizing_at: float | None
    cancelling_at: float | None
    ended_at: float | None


@dataclass(frozen=True, slots=True)
class FileCounts:
    """Numbers of files by status."""

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
    """The embedding model of its vectors."""
    description: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    chunking: Strategy | None = None
    """For documents without an own strategy; None: the service's default."""
    expires_after_days: int | None = None
    """Counted from `last_active_at`."""
    expires_at: float | None = None
    status: Literal["completed", "in_progress", "expired"] = "completed"
    retrieval: Mapping[str, Any] | None = None
    """Retrieval settings that override the service's; names as in `rag.retrieve.options`."""
    sparse_embedder: str = ""
    """The learned sparse model of its sparse vectors; empty: it has none."""


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A file in a vector store: its current version, or the version that a job made."""

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
    """Increases with each accepted change of any document."""
    content_hash: str = ""
    bytes: int = 0
    media_type: str = ""
    title: str = ""
    language: str = ""
    pages: int = 0
    warnings: Sequence[str] = ()
    """What was not read of the file, a sentence each."""
    chunks: int = 0
    chunks_done: int = 0
    searchable: bool = False
    """Whether queries find some version of it, perhaps an older one while a newer is in progress or has failed."""
    change: Change | None = None
    """Of a file of a job: what the upload did."""
    origin: str = ""
    """Where it came from: `ingest` or `files`, and the request's id."""
    read_groups: Sequence[str] = ()
    """The groups that may read it; empty: everyone in the tenant."""


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
    """Of the files that have been read; it grows until all have been."""
    chunks_per_s: float | None = None
    seconds_left: float | None = None
    error: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    """Of a reindex: `from` and `to` (models)."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that is to be added to a vector store."""

    file_id: str
    attributes: Attributes = field(default_factory=dict)
    chunking: Strategy | None = None
    read_groups: Sequence[str] | None = None
    """None: those of the file, or of the document that it replaces."""


@dataclass(frozen=True, slots=True)
class NewStore:
    """The fields of a new vector store, or changes of one. None: not given."""

    name: str | None = None
    description: str | None = None
    metadata: Mapping[str, str] | None = None
    chunking: Strategy | None = None
    expires_after_days: int | None = None
    forget_expiry: bool = False
    """The store is never to expire."""
    retrieval: Mapping[str, Any] | None = None
    """Replaces all retrieval settings of the store; empty: the service's settings are used."""


@dataclass(frozen=True, slots=True)
class NewResponse:
    """A response that is to be kept. Its items are JSON objects with an `id`."""

    response_id: str
    body: Mapping[str, Any]
    """OpenAI's object without `output`."""
    input: Sequence[Mapping[str, Any]]
    output: Sequence[Mapping[str, Any]]
    previous_id: str | None = None
    conversation_id: str | None = None
    """The conversation that the items are added to."""
    is_kept: bool = True
    """Whether the response itself is kept."""


ResponseEvent: TypeAlias = tuple[str, dict[str, Any]]
"""Name and data of an event of a response's stream."""


@dataclass(frozen=True, slots=True)
class NewWork:
    """What generates a response in the background needs to know."""

    response_id: str
    request: Mapping[str, Any]
    """The body of the request."""
    caller: str
    """Who asked, as in the header between services."""
    request_id: str
    streams: bool
    """Whether the events are kept."""
    events: Sequence[ResponseEvent] = ()
    """Those that say that it is queued."""


@dataclass(frozen=True, slots=True)
class LeasedResponse:
    """A response in the background, which whoever has the lease generates."""

    response_id: str
    lease: str
    response: Mapping[str, Any]
    """OpenAI's object, in progress."""
    request: Mapping[str, Any]
    caller: str
    request_id: str
    streams: bool
    attempts: int
    """How often it was begun, this time included."""
    last_number: int
    """Of its events."""
    refusal: str = ""
    """Why the caller may not ask any more; empty: it may."""


@dataclass(frozen=True, slots=True)
class WrittenPart:
    """What an attempt adds to a response in the background. Anything renews its lease."""

    response_id: str
    lease: str
    events: Sequence[ResponseEvent] = ()
    last_number: int = -1
    """Of the event before these, as far as the writer knows. They may have been written already: then they are left
    out."""
    final: Mapping[str, Any] | None = None
    """OpenAI's object, once it is complete or has failed."""
    retry_after_s: float | None = None
    """The attempt is given up; another one may begin after this time."""
    is_counted: bool = True
    """Whether an attempt that is given up counts."""


@dataclass(frozen=True, slots=True)
class NewCompletion:
    """A chat completion that is to be kept."""

    completion_id: str
    model: str
    """Its name in the request."""
    body: Mapping[str, Any]
    """OpenAI's object."""
    messages: Sequence[Mapping[str, Any]]
    """Those of the request, each with an `id`."""
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ConversationRecord:
    """A conversation."""

    conversation_id: str
    created_at: float
    metadata: Mapping[str, str]
