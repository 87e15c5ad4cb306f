"""Changes the states of versions: they become visible, are replaced, fail, or are removed."""

from __future__ import annotations

import time
from collections.abc import Sequence

import sqlalchemy as sa

from rag.catalog.documents import documents, files
from rag.catalog.documents import stores as store_rows
from rag.catalog.tables.rows import LIVE, Condition, DocumentRow, VersionRow, VersionState
from rag.catalog.tables.schema import documents as document_table
from rag.catalog.tables.schema import index_versions, versions
from rag.catalog.versions.queries import get_many, visible_version
from rag.errors import RagError


def publish(connection: sa.Connection, store_id: str, seqs: Sequence[int]) -> list[int]:
    """Make these versions visible and retire those that they replace, in one revision.

    Returns:
        The versions that must be written again first, because the store was moved to another index or their
        attributes were changed meanwhile.
    """
    store_rows.lock(connection, store_id)
    index = store_rows.active_index(connection, store_id)
    revision: int | None = None
    outdated: list[int] = []
    for version in get_many(connection, seqs):
        if version.state != "pending":
            continue
        if not _is_written(connection, version, index.index_id):
            outdated.append(version.seq)
            continue
        if revision is None:
            revision = store_rows.next_revision(connection, store_id)
        _publish_one(connection, version, revision)
    return outdated


def _is_written(connection: sa.Connection, version: VersionRow, index_id: str) -> bool:
    wanted = (index_versions.c.index_id == index_id) & (index_versions.c.seq == version.seq)
    indexed = connection.execute(sa.select(index_versions.c.seq).where(wanted)).first()
    return indexed is not None and version.attributes_written == version.attributes


def _publish_one(connection: sa.Connection, version: VersionRow, revision: int) -> None:
    own, now = versions.c.seq == version.seq, time.time()
    previous = visible_version(connection, version.document_id)
    if previous is not None and previous.order > version.order:
        _set_state(connection, own, "superseded", finished_at=now)
        return
    if previous is not None:
        _retire(connection, versions.c.seq == previous.seq, revision)
    _set_state(connection, own, "visible", valid_from=revision, finished_at=now, chunks_done=versions.c.chunks)
    files.set_read_groups(connection, version)
    if version.file_id == documents.ingested_file_id(version.store_id, version.filename):
        files.set_content(connection, version)


def fail(connection: sa.Connection, seq: int, error: RagError) -> None:
    is_pending = (versions.c.seq == seq) & (versions.c.state == "pending")
    _set_state(
        connection,
        is_pending,
        "failed",
        error_code=error.code,
        error_message=error.message,
        finished_at=time.time(),
    )


def cancel(connection: sa.Connection, seqs: Sequence[int]) -> None:
    is_pending = versions.c.seq.in_(seqs) & (versions.c.state == "pending")
    _set_state(connection, is_pending, "cancelled", finished_at=time.time())


def remove_document(connection: sa.Connection, document: DocumentRow) -> None:
    """Remove a document from its store: its visible version is retired, its pending versions are cancelled."""
    _end_all(connection, document.store_id, versions.c.document_id == document.id)
    connection.execute(sa.delete(document_table).where(document_table.c.id == document.id))


def remove_file(connection: sa.Connection, document: DocumentRow, file_id: str) -> None:
    """Remove a file from a document. Another file that is replacing it, or that it was replacing, stays."""
    of_document = versions.c.document_id == document.id
    others = of_document & (versions.c.file_id != file_id)
    order = versions.c.seq.desc()
    newest = connection.execute(sa.select(versions.c.file_id).where(of_document).order_by(order)).scalar()
    live = connection.execute(sa.select(versions.c.seq).where(others, versions.c.state.in_(LIVE))).first()
    if live is None and newest == file_id:
        remove_document(connection, document)
        return
    own = of_document & (versions.c.file_id == file_id)
    _end_all(connection, document.store_id, own)
    connection.execute(sa.update(versions).where(own).values(removed=True))


def _end_all(connection: sa.Connection, store_id: str, wanted: Condition) -> None:
    revision = store_rows.next_revision(connection, store_id)
    _retire(connection, wanted & (versions.c.state == "visible"), revision)
    _set_state(connection, wanted & (versions.c.state == "pending"), "cancelled", finished_at=time.time())


def _retire(connection: sa.Connection, wanted: Condition, revision: int) -> None:
    _set_state(connection, wanted, "retired", valid_to=revision, retired_at=time.time())


def _set_state(connection: sa.Connection, wanted: Condition, state: VersionState, **values: object) -> None:
    connection.execute(sa.update(versions).where(wanted).values({"state": state, **values}))
