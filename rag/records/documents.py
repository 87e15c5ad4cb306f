"""Documents in vector stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from rag.types import Attributes, Change, ReadingWarning

Strategy: TypeAlias = Mapping[str, Any]
"""A chunking strategy as JSON, as `rag.chunkers.strategy` writes it."""

MAX_ATTRIBUTES = 16
"""The limit for one document, the same as OpenAI's."""

DocumentSort: TypeAlias = Literal["created_at", "filename"]
"""What lists of documents may be sorted by."""

WorkStatus: TypeAlias = Literal["in_progress", "completed", "failed", "cancelled"]
"""The status of a document or of a file in a job, by OpenAI's names."""


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
    warnings: Sequence[ReadingWarning] = ()
    """What was not read of the file."""
    chunks: int = 0
    chunks_done: int = 0
    searchable: bool = False
    """Whether queries find some version of it, perhaps an older one while a newer is in progress or has failed."""
    change: Change | None = None
    """For a file in a job: what the upload did."""
    origin: str = ""
    """Where it came from: `ingest` or `files`, and the request's id."""
    read_groups: Sequence[str] = ()
    """The groups that may read it; empty: everyone in the tenant."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that is to be added to a vector store."""

    file_id: str
    attributes: Attributes = field(default_factory=dict)
    chunking: Strategy | None = None
    read_groups: Sequence[str] | None = None
    """None: those of the file, or of the document that it replaces."""
