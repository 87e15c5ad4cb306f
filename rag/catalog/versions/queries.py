"""Reads versions of documents."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from rag.catalog import groups
from rag.catalog.tables.rows import VersionRow, read_first, read_row, read_rows
from rag.catalog.tables.schema import index_versions, versions


def get(connection: sa.Connection, seq: int) -> VersionRow:
    return read_row(VersionRow, connection.execute(sa.select(versions).where(versions.c.seq == seq)).one())


def get_many(connection: sa.Connection, seqs: Iterable[int]) -> list[VersionRow]:
    wanted = sa.select(versions).where(versions.c.seq.in_(list(seqs))).order_by(versions.c.seq)
    return read_rows(connection, VersionRow, wanted)


def visible_version(connection: sa.Connection, document_id: str) -> VersionRow | None:
    wanted = (versions.c.document_id == document_id) & (versions.c.state == "visible")
    return read_first(connection, VersionRow, sa.select(versions).where(wanted))


def history(connection: sa.Connection, document_id: str, limit: int, before: int | None) -> list[VersionRow]:
    """Versions of a document, newest first, without those whose file was removed from it.

    Args:
        before: Only versions with a lower number.
    """
    wanted = (versions.c.document_id == document_id) & ~versions.c.removed & groups.readable_versions()
    statement = sa.select(versions).where(wanted).order_by(versions.c.seq.desc()).limit(limit)
    if before is not None:
        statement = statement.where(versions.c.seq < before)
    return read_rows(connection, VersionRow, statement)


def newest_with_text(connection: sa.Connection, document_id: str, file_id: str) -> VersionRow | None:
    """The version of a file whose text can be shown: the visible one, otherwise the newest with an extract."""
    own = (versions.c.document_id == document_id) & (versions.c.file_id == file_id)
    wanted = own & versions.c.extract_id.is_not(None) & groups.readable_versions()
    order = sa.case((versions.c.state == "visible", 0), else_=1)
    statement = sa.select(versions).where(wanted).order_by(order, versions.c.seq.desc())
    return read_first(connection, VersionRow, statement)


def reusable_version(connection: sa.Connection, version: VersionRow, index_id: str) -> VersionRow | None:
    """A visible version of the same document with the same text and chunking, whose vectors are all in this index."""
    wanted = (
        (versions.c.document_id == version.document_id)
        & (versions.c.content_hash == version.content_hash)
        & (versions.c.state == "visible")
        & (index_versions.c.index_id == index_id)
    )
    joined = sa.select(versions).join(index_versions, index_versions.c.seq == versions.c.seq).where(wanted)
    rows = read_rows(connection, VersionRow, joined)
    return next((row for row in rows if row.chunking == version.chunking), None)


def missing_from_index(
    connection: sa.Connection, store_id: str, index_id: str, limit: int | None = None
) -> list[VersionRow]:
    """Visible versions of the store that are not, or not completely, in an index."""
    indexed = sa.select(index_versions.c.seq).where(index_versions.c.index_id == index_id)
    wanted = (versions.c.store_id == store_id) & (versions.c.state == "visible") & versions.c.seq.not_in(indexed)
    return read_rows(connection, VersionRow, sa.select(versions).where(wanted).order_by(versions.c.seq).limit(limit))


def visible_totals(connection: sa.Connection, store_id: str) -> tuple[int, int]:
    """The numbers of visible versions of a store and of their chunks."""
    columns = (sa.func.count(), sa.func.coalesce(sa.func.sum(versions.c.chunks), 0))
    wanted = (versions.c.store_id == store_id) & (versions.c.state == "visible")
    files_count, chunks = connection.execute(sa.select(*columns).where(wanted)).one()
    return int(files_count), int(chunks)
