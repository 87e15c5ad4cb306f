"""Uploaded files, and the blobs that hold their bytes."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

import sqlalchemy as sa

from rag.auth.caller import current_tenant
from rag.catalog import access, groups, listing
from rag.catalog.tables.batch_tables import batches
from rag.catalog.tables.rows import FileRow, VersionRow, read_first, read_row
from rag.catalog.tables.schema import blobs, files, versions
from rag.catalog.tables.upload_tables import upload_parts
from rag.errors import FileNotFound
from rag.records import Cursor, FileRecord, Page, UploadedFile

_USER_DATA = ("user_data", "evals")
"""Purposes that responses do not tell apart."""


def new_id() -> str:
    return f"file-{uuid.uuid4().hex[:24]}"


def insert(
    connection: sa.Connection,
    file_id: str,
    upload: UploadedFile,
    blob_id: str,
    *,
    purpose: str,
    expires_after_s: int | None = None,
    read_groups: Sequence[str] = (),
) -> FileRecord:
    """Raises InvalidRequest if the caller could not read the file."""
    groups.check_own(read_groups)
    now = time.time()
    expires_at = None if expires_after_s is None else now + expires_after_s
    content = upload.bytes, upload.content_hash
    record = FileRecord(file_id, upload.filename, purpose, *content, now, expires_at, read_groups)
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
            tenant=current_tenant(),
            created_by=access.created_by(),
            read_groups=list(read_groups) or None,
        )
    )
    return record


def get(connection: sa.Connection, file_id: str) -> FileRow:
    """Raises FileNotFound."""
    wanted = sa.select(files).where(files.c.id == file_id, access.visible_files())
    return _existing(read_first(connection, FileRow, wanted), file_id)


def find(connection: sa.Connection, file_id: str) -> FileRecord | None:
    """The file, or None if it was deleted."""
    wanted = sa.select(files).where(files.c.id == file_id, access.visible_files())
    row = read_first(connection, FileRow, wanted)
    return None if row is None else to_record(row)


def lock(connection: sa.Connection, file_id: str) -> FileRow:
    """The file, locked until the transaction ends; lock vector stores before files. Raises FileNotFound."""
    statement = sa.select(files).where(files.c.id == file_id, access.visible_files()).with_for_update()
    return _existing(read_first(connection, FileRow, statement), file_id)


def _existing(file: FileRow | None, file_id: str) -> FileRow:
    if file is None:
        raise FileNotFound(f"there is no file {file_id[:80]!r}", param="file_id")
    return file


def exists(connection: sa.Connection, file_id: str) -> bool:
    return connection.execute(sa.select(files.c.id).where(files.c.id == file_id)).first() is not None


def set_content(connection: sa.Connection, version: VersionRow) -> None:
    """Set the content of a file to that of a version of its document."""
    content = {"blob_id": version.blob_id, "bytes": version.bytes, "content_hash": version.content_hash}
    connection.execute(sa.update(files).where(files.c.id == version.file_id).values(content))


def read_groups(connection: sa.Connection, file_id: str) -> Sequence[str]:
    """The read groups of a file; empty if it does not exist."""
    return connection.execute(sa.select(files.c.read_groups).where(files.c.id == file_id)).scalar() or ()


def set_read_groups(connection: sa.Connection, version: VersionRow) -> None:
    """Give a file the read groups of a version that was made of it. They remain when its document is removed."""
    own = files.c.id == version.file_id
    connection.execute(sa.update(files).where(own).values(read_groups=version.read_groups))


def page(connection: sa.Connection, cursor: Cursor, purpose: str | None) -> Page[FileRecord]:
    statement = sa.select(files).where(access.visible_files())
    if purpose is not None:
        same = _USER_DATA if purpose in _USER_DATA else (purpose,)
        statement = statement.where(files.c.purpose.in_(same))
    return listing.page(
        connection, statement, files.c.created_at, files.c.id, cursor, lambda row: to_record(read_row(FileRow, row))
    )


def delete(connection: sa.Connection, file_id: str) -> None:
    connection.execute(sa.delete(files).where(files.c.id == file_id))


def expired(connection: sa.Connection) -> list[str]:
    """Ids of the files whose expiry time has passed."""
    return list(connection.execute(sa.select(files.c.id).where(files.c.expires_at < time.time())).scalars())


def to_record(file: FileRow) -> FileRecord:
    return FileRecord(
        file.id,
        file.filename,
        file.purpose,
        file.bytes,
        file.content_hash,
        file.created_at,
        file.expires_at,
        tuple(file.read_groups or ()),
    )


# --- blobs -------------------------------------------------------------------------------------


def add_blob(connection: sa.Connection, blob_id: str, kind: str, size: int, charset: str = "") -> None:
    """Insert a blob. Call it in the transaction that also inserts the reference to it."""
    values = {"id": blob_id, "kind": kind, "bytes": size, "created_at": time.time(), "charset": charset or None}
    connection.execute(sa.insert(blobs).values(values))


def charset_of(connection: sa.Connection, blob_id: str) -> str:
    """The encoding that the upload declared; empty if it declared none."""
    return connection.execute(sa.select(blobs.c.charset).where(blobs.c.id == blob_id)).scalar() or ""


def delete_unused_blobs(connection: sa.Connection) -> list[str]:
    """Delete the rows of blobs that nothing refers to. Their bytes can be removed after this transaction's commit."""
    used = sa.union_all(
        sa.select(files.c.blob_id),
        sa.select(versions.c.blob_id).where(versions.c.blob_id.is_not(None)),
        sa.select(versions.c.extract_id).where(versions.c.extract_id.is_not(None)),
        sa.select(upload_parts.c.blob_id),
        sa.select(batches.c.input_blob_id).where(batches.c.input_blob_id.is_not(None)),
    )
    unused = sa.delete(blobs).where(blobs.c.id.not_in(used)).returning(blobs.c.id)
    return list(connection.execute(unused).scalars())


def known_blobs(connection: sa.Connection) -> set[str]:
    return set(connection.execute(sa.select(blobs.c.id)).scalars())
