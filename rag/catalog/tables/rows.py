"""The rows of the catalog's tables as frozen dataclasses. Fields have the names of columns in `schema`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, TypeVar

import sqlalchemy as sa

from rag.records import JobKind, JobState, Strategy
from rag.types import Attributes, JsonMapping

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    RowType = TypeVar("RowType", bound=DataclassInstance)
else:
    RowType = TypeVar("RowType")

RowSelect: TypeAlias = sa.Select[Any]
"""A SELECT statement whose columns the type does not tell."""
ResultRow: TypeAlias = sa.Row[tuple[object, ...]]
"""A row as SQLAlchemy returns it."""
Condition: TypeAlias = sa.ColumnElement[bool]

VersionState: TypeAlias = Literal["pending", "visible", "retired", "failed", "cancelled", "superseded"]
"""See `rag.catalog.tables.schema`."""
IndexState: TypeAlias = Literal["active", "building", "previous", "dropping"]
"""`active`: searched. `building`: to become the active one. `previous`: was active. `dropping`: to be removed."""

LIVE: tuple[VersionState, ...] = ("pending", "visible")
"""The states of versions that questions can see or may see later."""
UNFINISHED: tuple[JobState, ...] = ("queued", "running")
"""The states of jobs that are still to be done."""

JobDetails = TypedDict(
    "JobDetails",
    {
        # Of a reindex: models, the index that is built, and progress.
        "from": str,
        "to": str,
        "index": str,
        "files_total": int,
        "files_done": int,
        "chunks_total": int,
        "chunks_done": int,
        # Of an ingest with generated questions.
        "question_pairs": int,
        "passages_without_questions": int,
    },
    total=False,
)


@dataclass(frozen=True, slots=True)
class StoreRow:
    """A vector store."""

    id: str
    name: str
    description: str | None
    metadata: Mapping[str, str]
    chunking: Strategy | None
    expires_after_days: int | None
    created_at: float
    last_active_at: float
    revision: int
    nonce: str
    retrieval: Mapping[str, Any] | None
    read_groups: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class FileRow:
    """An uploaded file."""

    id: str
    filename: str
    purpose: str
    bytes: int
    content_hash: str
    blob_id: str
    created_at: float
    expires_at: float | None
    read_groups: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document: a filename in a vector store."""

    id: str
    store_id: str
    filename: str
    created_at: float


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version of a document."""

    seq: int
    document_id: str
    store_id: str
    filename: str
    file_id: str
    blob_id: str | None
    extract_id: str | None
    content_hash: str
    bytes: int
    attributes: Attributes
    chunking: Strategy
    origin: str
    attributes_written: Attributes | None
    generation: int | None
    state: VersionState
    media_type: str
    title: str
    language: str
    pages: int
    chunks: int
    chunks_done: int
    error_code: str | None
    error_message: str | None
    created_at: float
    warnings: Sequence[str | JsonMapping] | None
    read_groups: Sequence[str] | None

    @property
    def order(self) -> tuple[int, int]:
        """Sorts the versions of a document by the age of their content, then by their own."""
        return (self.seq if self.generation is None else self.generation), self.seq


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job."""

    id: str
    kind: JobKind
    store_id: str
    state: JobState
    fingerprint: str
    created_at: float
    started_at: float | None
    finished_at: float | None
    heartbeat_at: float | None
    step: str
    waiting_for: str
    chunks_per_s: float | None
    error: str | None
    details: JobDetails


def read_row(row_type: type[RowType], row: ResultRow) -> RowType:
    """The dataclass of a result row, which may have further columns."""
    columns = row._mapping
    return row_type(**{field.name: columns[field.name] for field in fields(row_type)})


def read_rows(connection: sa.Connection, row_type: type[RowType], statement: RowSelect) -> list[RowType]:
    """All rows that a statement selects."""
    return [read_row(row_type, row) for row in connection.execute(statement)]


def read_first(connection: sa.Connection, row_type: type[RowType], statement: RowSelect) -> RowType | None:
    """The first row that a statement selects; None if there is none."""
    row = connection.execute(statement).first()
    return None if row is None else read_row(row_type, row)
