"""Uploaded files, and the blobs that hold bytes."""

from __future__ import annotations

import time
import uuid
from typing import Any

import sqlalchemy as sa

from rag.catalog import listing
from rag.catalog.schema import blobs, files, versions
from rag.errors import FileNotFound
from rag.records import Cursor, FileRecord, Page, Received


def new_id() -> str:
    return f"file-{uuid.uuid4().hex[:24]}"


def insert(
    connection: sa.Connection,
    file_id: str,
    upload: Received,
    blob_id: str,
    *,
    purpose: str,
    expires_at: float | None = None,
) -> FileRecord:
    record = FileRecord(file_id, upload.filename, purpose, upload.bytes, upload.content_hash, time.time(), expires_at)
    connection.execute(
        sa.insert(files).values(
            id=file_id,
            filename=record.filename,
            purpose=purpose,
            bytes=record.bytes,
            content_hash=record.content_hash,
            blob_id=blob_id,
            created_at=record.created_at,
            expires_at=expires_at,
        )
    )
    return record


def row(connection: sa.Connection, file_id: str) -> Any:
    """Raises FileNotFound."""
    found = connection.execute(sa.select(files).where(files.c.id == file_id)).first()
    if found is None:
        raise FileNotFound(f"there is no file {file_id[:80]!r}", param="file_id")
    return found


def lock(connection: sa.Connection, file_id: str) -> Any:
    """Its row, changed by no other transaction until this one ends. After the locks of stores, never before."""
    found = connection.execute(sa.select(files).where(files.c.id == file_id).with_for_update()).first()
    if found is None:
        raise FileNotFound(f"there is no file {file_id[:80]!r}", param="file_id")
    return found


def exists(connection: sa.Connection, file_id: str) -> bool:
    return connection.execute(sa.select(files.c.id).where(files.c.id == file_id)).first() is not None


def set_content(connection: sa.Connection, version: Any) -> None:
    """Give the file the content of a version of its document."""
    content = {"blob_id": version.blob_id, "bytes": version.bytes, "content_hash": version.content_hash}
    connection.execute(sa.update(files).where(files.c.id == version.file_id).values(content))


def page(connection: sa.Connection, cursor: Cursor, purpose: str | None) -> Page[FileRecord]:
    statement = sa.select(files) if purpose is None else sa.select(files).where(files.c.purpose == purpose)
    rows = listing.page(connection, statement, files.c.created_at, files.c.id, cursor)
    return Page([record(found) for found in rows.rows], rows.has_more)


def delete(connection: sa.Connection, file_id: str) -> None:
    connection.execute(sa.delete(files).where(files.c.id == file_id))


def expired(connection: sa.Connection) -> list[str]:
    return list(connection.execute(sa.select(files.c.id).where(files.c.expires_at < time.time())).scalars())


def record(found: Any) -> FileRecord:
    return FileRecord(
        found.id, found.filename, found.purpose, found.bytes, found.content_hash, found.created_at, found.expires_at
    )


# --- blobs -------------------------------------------------------------------------------------


def add_blob(connection: sa.Connection, blob_id: str, kind: str, size: int) -> None:
    """In the transaction that also refers to it."""
    connection.execute(sa.insert(blobs).values(id=blob_id, kind=kind, bytes=size, created_at=time.time()))


def forget_unused_blobs(connection: sa.Connection) -> list[str]:
    """Blobs that nothing refers to any more, forgotten: their files can go once this transaction is committed."""
    used = sa.union_all(
        sa.select(files.c.blob_id),
        sa.select(versions.c.blob_id).where(versions.c.blob_id.is_not(None)),
        sa.select(versions.c.extract_id).where(versions.c.extract_id.is_not(None)),
    )
    unused = sa.delete(blobs).where(blobs.c.id.not_in(used)).returning(blobs.c.id)
    return list(connection.execute(unused).scalars())


def known_blobs(connection: sa.Connection) -> set[str]:
    return set(connection.execute(sa.select(blobs.c.id)).scalars())
