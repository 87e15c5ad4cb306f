"""Documents: which there are, and what is said of them. Their versions change in `rag.catalog.versions`."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from rag.catalog import listing
from rag.catalog.schema import documents, versions
from rag.errors import FileNotFound
from rag.records import Cursor, DocumentRecord, FileCounts, Page, WorkStatus
from rag.types import Change

STATUS: Mapping[str, WorkStatus] = {
    "pending": "in_progress",
    "visible": "completed",
    "retired": "completed",
    "superseded": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}
"""What a version's state is to a caller."""


def document_id(store_id: str, filename: str) -> str:
    """Stable: the same name in the same vector store is the same document."""
    return f"doc-{_digest(store_id, filename)}"


def ingested_file_id(store_id: str, filename: str) -> str:
    """The file behind a document that came through `/ingest`: it stays the same when its content is replaced."""
    return f"file-{_digest(store_id, filename)}"


def _digest(store_id: str, filename: str) -> str:
    return hashlib.sha256(f"{store_id}\0{filename}".encode()).hexdigest()[:24]


def put(connection: sa.Connection, store_id: str, filename: str) -> str:
    """Make the document if it is not there; its id."""
    own_id = document_id(store_id, filename)
    if connection.execute(sa.select(documents.c.id).where(documents.c.id == own_id)).first() is None:
        row = {"id": own_id, "store_id": store_id, "filename": filename, "created_at": time.time()}
        connection.execute(sa.insert(documents).values(row))
    return own_id


def find(connection: sa.Connection, store_id: str, file_id: str) -> Any:
    """The row of the document that the file is in, or comes into. Raises FileNotFound."""
    row = connection.execute(_of_file(file_id).where(documents.c.store_id == store_id)).first()
    if row is None:
        raise FileNotFound(f"the vector store has no file {file_id[:80]!r}", param="file_id")
    return row


def of_file(connection: sa.Connection, file_id: str) -> list[Any]:
    """Documents of all stores that the file is in, or comes into."""
    return list(connection.execute(_of_file(file_id)))


def _of_file(file_id: str) -> Any:
    """While one file takes the place of another, both are in the document; one that was replaced is not."""
    present = versions.c.state.in_(("pending", "visible", "failed", "cancelled")) & ~versions.c.removed
    own = sa.select(versions.c.document_id).where(versions.c.file_id == file_id, present)
    return sa.select(documents).where(documents.c.id.in_(own))


def of_store(connection: sa.Connection, store_id: str) -> list[Any]:
    return list(connection.execute(sa.select(documents).where(documents.c.store_id == store_id)))


def record(connection: sa.Connection, store_id: str, file_id: str) -> DocumentRecord:
    """What is said of the document by the versions of this file."""
    document = find(connection, store_id, file_id)
    row = connection.execute(_shown(file_id).where(documents.c.id == document.id)).one()
    return to_record(row)


def page(connection: sa.Connection, store_id: str, cursor: Cursor, status: WorkStatus | None) -> Page[DocumentRecord]:
    statement = _shown().where(documents.c.store_id == store_id)
    if status is not None:
        statement = statement.where(versions.c.state.in_([s for s, name in STATUS.items() if name == status]))
    rows = listing.page(connection, statement, documents.c.created_at, versions.c.file_id, cursor)
    return Page([to_record(row) for row in rows.rows], rows.has_more)


def counts(connection: sa.Connection, store_id: str) -> tuple[FileCounts, int]:
    """Documents by status, and the bytes of all."""
    columns = (versions.c.state, sa.func.count(), sa.func.coalesce(sa.func.sum(versions.c.bytes), 0))
    statement = _shown().where(documents.c.store_id == store_id).with_only_columns(*columns)
    rows = connection.execute(statement.group_by(versions.c.state)).all()
    return file_counts((state, count) for state, count, _ in rows), sum(int(size) for _, _, size in rows)


def file_counts(by_state: Any) -> FileCounts:
    totals: dict[str, int] = {}
    for state, count in by_state:
        totals[STATUS[state]] = totals.get(STATUS[state], 0) + count
    return FileCounts(**totals)


def _shown(file_id: str | None = None) -> Any:
    """Documents with the version that speaks for each: one on its way, else the newest that was not cancelled.

    Args:
        file_id: Of the versions of this file alone.
    """
    newest = sa.func.coalesce(
        sa.func.max(sa.case((versions.c.state == "pending", versions.c.seq))),
        sa.func.max(sa.case((versions.c.state.in_(("visible", "failed")), versions.c.seq))),
        sa.func.max(versions.c.seq),
    )
    chosen = sa.select(versions.c.document_id, newest.label("seq")).where(~versions.c.removed)
    chosen = chosen.group_by(versions.c.document_id)
    if file_id is not None:
        chosen = chosen.where(versions.c.file_id == file_id)
    per_document = chosen.subquery()
    shown = versions.alias("seen")
    searchable = sa.exists().where(shown.c.document_id == documents.c.id, shown.c.state == "visible")
    columns = (
        versions,
        documents.c.created_at.label("document_created_at"),
        searchable.label("searchable"),
    )
    return (
        sa.select(*columns)
        .join(per_document, per_document.c.seq == versions.c.seq)
        .join(documents, documents.c.id == versions.c.document_id)
    )


def to_record(row: Any, change: Change | None = None) -> DocumentRecord:
    """Of a row of `versions`, joined with its document or not."""
    fields = row._mapping
    return DocumentRecord(
        document_id=row.document_id,
        store_id=row.store_id,
        file_id=row.file_id,
        filename=row.filename,
        status=STATUS[row.state],
        created_at=fields.get("document_created_at", row.created_at),
        attributes=row.attributes,
        chunking=row.chunking,
        usage_bytes=row.bytes,
        error_code=row.error_code,
        error_message=row.error_message,
        version=row.seq,
        content_hash=row.content_hash,
        bytes=row.bytes,
        media_type=row.media_type,
        title=row.title,
        language=row.language,
        pages=row.pages,
        chunks=row.chunks,
        chunks_done=row.chunks_done,
        searchable=bool(fields.get("searchable", row.state == "visible")),
        change=change,
        origin=row.origin,
    )
