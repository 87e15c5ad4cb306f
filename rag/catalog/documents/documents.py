"""Documents and their records. The versions of documents are changed in `rag.catalog.versions`."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from rag.catalog import groups, listing
from rag.catalog.tables.rows import (
    LIVE,
    Condition,
    DocumentRow,
    ResultRow,
    RowSelect,
    VersionRow,
    VersionState,
    read_first,
    read_row,
    read_rows,
)
from rag.catalog.tables.schema import documents, versions
from rag.errors import FileNotFound
from rag.records import Cursor, DocumentRecord, DocumentSort, FileCounts, Page, WorkStatus
from rag.types import Change, ReadingWarning

STATUS: Mapping[VersionState, WorkStatus] = {
    "pending": "in_progress",
    "visible": "completed",
    "retired": "completed",
    "superseded": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}
"""The status that callers are given for a version's state."""


def document_id(store_id: str, filename: str) -> str:
    """Stable: the same name in the same vector store is the same document."""
    return f"doc-{_digest(store_id, filename)}"


def ingested_file_id(store_id: str, filename: str) -> str:
    """The id of the file of a document that was uploaded to `/ingest`. It does not change with the content."""
    return f"file-{_digest(store_id, filename)}"


def _digest(store_id: str, filename: str) -> str:
    return hashlib.sha256(f"{store_id}\0{filename}".encode()).hexdigest()[:24]


def put(connection: sa.Connection, store_id: str, filename: str) -> str:
    """Insert the document if it does not exist. Returns its id."""
    own_id = document_id(store_id, filename)
    if connection.execute(sa.select(documents.c.id).where(documents.c.id == own_id)).first() is None:
        values = {"id": own_id, "store_id": store_id, "filename": filename, "created_at": time.time()}
        connection.execute(sa.insert(documents).values(values))
    return own_id


def find(connection: sa.Connection, store_id: str, file_id: str) -> DocumentRow:
    """The document that a file belongs to, or will when its job is done. Raises FileNotFound."""
    wanted = _with_file(file_id, groups.readable_versions()).where(documents.c.store_id == store_id)
    if (document := read_first(connection, DocumentRow, wanted)) is None:
        raise _no_file(file_id)
    return document


def _no_file(file_id: str) -> FileNotFound:
    return FileNotFound(f"the vector store has no file {file_id[:80]!r}", param="file_id")


def with_file(connection: sa.Connection, file_id: str) -> list[DocumentRow]:
    """The documents of all stores that a file belongs to, or will when its job is done."""
    return read_rows(connection, DocumentRow, _with_file(file_id))


def _with_file(file_id: str, condition: Condition | None = None) -> RowSelect:
    """While a file is replacing another, both belong to the document; a file that was replaced does not.

    Args:
        condition: On the versions of the file.
    """
    is_current = versions.c.state.in_(("pending", "visible", "failed", "cancelled")) & ~versions.c.removed
    own = sa.select(versions.c.document_id).where(versions.c.file_id == file_id, is_current)
    if condition is not None:
        own = own.where(condition)
    return sa.select(documents).where(documents.c.id.in_(own))


def of_store(connection: sa.Connection, store_id: str) -> list[DocumentRow]:
    return read_rows(connection, DocumentRow, sa.select(documents).where(documents.c.store_id == store_id))


def record(connection: sa.Connection, store_id: str, file_id: str) -> DocumentRecord:
    """The record of the document that a file belongs to, from the versions of this file alone."""
    document = find(connection, store_id, file_id)
    row = connection.execute(_with_current_version(file_id).where(documents.c.id == document.id)).first()
    if row is None:
        raise _no_file(file_id)
    return _document_record(row)


def page(
    connection: sa.Connection,
    store_id: str,
    cursor: Cursor,
    status: WorkStatus | None = None,
    *,
    name: str = "",
    sort: DocumentSort = "created_at",
) -> Page[DocumentRecord]:
    """The documents of a store whose name contains `name`, in upper or lower case."""
    statement = _with_current_version().where(documents.c.store_id == store_id)
    if status is not None:
        statement = statement.where(versions.c.state.in_(states_of(status)))
    if name:
        statement = statement.where(documents.c.filename.icontains(name, autoescape=True))
    file_id = versions.c.file_id
    return listing.page(connection, statement, documents.c[sort], file_id, cursor, _document_record, has_id=_has_file)


def _has_file(file_id: str) -> sa.ColumnElement[bool]:
    """Whether a document's current version is of this file."""
    with_it = sa.select(versions.c.document_id).where(versions.c.file_id == file_id)
    return documents.c.id.in_(with_it) & (versions.c.file_id == file_id)


def states_of(status: WorkStatus) -> list[VersionState]:
    """The states of versions that have this status."""
    return [state for state, name in STATUS.items() if name == status]


def counts(connection: sa.Connection, store_id: str) -> tuple[FileCounts, int]:
    """The number of documents by status, and the bytes of all."""
    columns = (versions.c.state, sa.func.count(), sa.func.coalesce(sa.func.sum(versions.c.bytes), 0))
    statement = _with_current_version().where(documents.c.store_id == store_id).with_only_columns(*columns)
    rows = connection.execute(statement.group_by(versions.c.state)).all()
    return file_counts((state, count) for state, count, _ in rows), sum(int(size) for _, _, size in rows)


def file_counts(by_state: Iterable[tuple[VersionState, int]]) -> FileCounts:
    totals: dict[str, int] = {}
    for state, count in by_state:
        totals[STATUS[state]] = totals.get(STATUS[state], 0) + count
    return FileCounts(**totals)


def _with_current_version(file_id: str | None = None) -> RowSelect:
    """Documents, each joined with its current version: the newest pending one; otherwise the newest not cancelled.

    Without those that the caller may not read.

    Args:
        file_id: Considers the versions of this file only.
    """
    own = versions.alias("own_version")
    wanted = (own.c.document_id == documents.c.id) & ~own.c.removed
    if file_id is not None:
        wanted &= own.c.file_id == file_id
    newest = sa.func.coalesce(
        sa.func.max(sa.case((own.c.state == "pending", own.c.seq))),
        sa.func.max(sa.case((own.c.state.in_(("visible", "failed")), own.c.seq))),
        sa.func.max(own.c.seq),
    )
    current = sa.select(newest).where(wanted).correlate(documents).scalar_subquery()
    visible = versions.alias("visible_version")
    searchable = sa.exists().where(visible.c.document_id == documents.c.id, visible.c.state == "visible")
    columns = (versions, documents.c.created_at.label("document_created_at"), searchable.label("searchable"))
    # The version is looked up for each document in the order of the list, so a page costs no more in a large store.
    is_current = (versions.c.document_id == documents.c.id) & (versions.c.seq == current)
    joined = sa.select(*columns).select_from(documents).join(versions, is_current)
    return joined.where(groups.readable_versions())


def has_unreadable(connection: sa.Connection, store_id: str) -> bool:
    """Whether the vector store has a document that the caller may not read."""
    wanted = (versions.c.store_id == store_id) & versions.c.state.in_(LIVE) & ~groups.readable_versions()
    return connection.execute(sa.select(versions.c.seq).where(wanted).limit(1)).first() is not None


def _document_record(row: ResultRow) -> DocumentRecord:
    """Converts a row that `_with_current_version` selected."""
    extra = row._mapping
    return to_record(
        read_row(VersionRow, row),
        created_at=extra["document_created_at"],
        searchable=bool(extra["searchable"]),
    )


def to_record(
    version: VersionRow, *, created_at: float, searchable: bool, change: Change | None = None
) -> DocumentRecord:
    return DocumentRecord(
        document_id=version.document_id,
        store_id=version.store_id,
        file_id=version.file_id,
        filename=version.filename,
        status=STATUS[version.state],
        created_at=created_at,
        attributes=version.attributes,
        chunking=version.chunking,
        usage_bytes=version.bytes,
        error_code=version.error_code,
        error_message=version.error_message,
        version=version.seq,
        content_hash=version.content_hash,
        bytes=version.bytes,
        media_type=version.media_type,
        title=version.title,
        language=version.language,
        pages=version.pages,
        warnings=tuple(map(ReadingWarning.from_json, version.warnings or ())),
        chunks=version.chunks,
        chunks_done=version.chunks_done,
        searchable=searchable,
        change=change,
        origin=version.origin,
        read_groups=tuple(version.read_groups or ()),
    )
